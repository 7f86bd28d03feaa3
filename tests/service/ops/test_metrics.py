from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.base.events import FalseSpinUp, Shot, WheelsSwitched
from service.base.source import LinkCounters, LinkReport, LinkState
from service.base.states import GroupFigures, RecorderStats, UploadTotals
from service.daemon.sinks import MetricsSink
from service.ops.metrics import BUCKETS_S, Metrics
from stinger.device_name import DeviceName
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return every value in the exposed text, by metric name and label values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
    }


def busy_metrics() -> Metrics:
    metrics = Metrics()
    device = metrics.device("a")
    device.samples += 5
    device.scores += 4
    device.gaps += 1
    for lead_ms, accepted in ((99.0, True), (100.0, True), (None, True), (200.0, False)):
        device.count(Shot(DeviceName("a"), 0, 0.0, lead_ms is not None, lead_ms, 0.9, accepted, "m", id=""))
    device.count(WheelsSwitched(DeviceName("a"), 0, 0.0, True, 0.9, "m", id=""))
    device.count(WheelsSwitched(DeviceName("a"), 9, 0.0, False, 0.1, "m", with_shot=False, id=""))
    device.count(FalseSpinUp(DeviceName("a"), 0, 0.0, 9.0, 0.9, "m", id=""))
    counters = LinkCounters(samples=5, lost=2, corrupted=3, out_of_order=1, reconnects=4)
    metrics.set_link(LinkReport(DeviceName("a"), LinkState.STREAMING, "", counters))
    metrics.set_model("a", "m")
    metrics.device("b")
    metrics.broker_connects = 3
    metrics.alarms = {"retention": True, "model": False}
    metrics.outbox_depth = lambda: 7
    metrics.recorder = lambda: RecorderStats(10, 170, 3, 1, 2, 1, alarm=True)
    metrics.group = lambda: GroupFigures(16, 6, 3, 0.25, 2, 1)
    metrics.messages_fenced = lambda: 8
    metrics.free_bytes = lambda: 5_000_000_000
    metrics.uploads = lambda: UploadTotals(6, 102_000, 2, waiting=3, waiting_bytes=51_000, waiting_s=12.5)
    metrics.stored_recordings, metrics.stored_bytes, metrics.recordings_pruned = 4, 68_000, 2
    for lead_ms in (90, 100, 240):
        metrics.lead.observe(lead_ms * 1_000_000)
    metrics.decision.observe(300_000)
    metrics.decision.observe(2_000_000_000, 2)
    return metrics


def test_counts_are_exposed() -> None:
    shown = values(busy_metrics())
    for name, expected in {
        "samples_total": 5,
        "scores_total": 4,
        "gaps_total": 1,
        "samples_lost_total": 2,
        "frames_corrupted_total": 3,
        "samples_out_of_order_total": 1,
        "link_reconnects_total": 4,
        "link_up": 1,
        "wheels_on": 0,
        "spinups_total": 1,
        "false_spinups_total": 1,
    }.items():
        assert shown[f"stinger_{name}", "a"] == expected, name
        assert shown[f"stinger_{name}", "b"] == 0, name
    assert shown["stinger_shots_total", "a", "accepted"] == 3
    assert shown["stinger_shots_total", "a", "burst"] == 1
    assert shown["stinger_model_info", "a", "m"] == 1
    assert shown["stinger_broker_reconnects_total",] == 2
    assert shown["stinger_outbox_events",] == 7
    assert shown["stinger_recorder_bytes_total",] == 170
    assert shown["stinger_recorder_stopped",] == 1
    assert shown["stinger_group_partitions",] == 16
    assert shown["stinger_partitions_held",] == 6
    assert (shown["stinger_lag_messages",], shown["stinger_lag_seconds",]) == (3, 0.25)
    assert (shown["stinger_takeovers_total",], shown["stinger_stream_messages_ignored_total",]) == (2, 1)
    assert shown["stinger_messages_fenced_total",] == 8
    assert shown["stinger_recordings",] == 4
    assert shown["stinger_recordings_bytes",] == 68_000
    assert shown["stinger_recordings_pruned_total",] == 2
    assert shown["stinger_data_free_bytes",] == 5_000_000_000


def test_accepted_shot_is_in_time_with_a_lead_of_100_ms() -> None:
    assert values(busy_metrics())["stinger_shots_in_time_total", "a"] == 1


def test_sink_observes_the_lead_of_accepted_shots_with_the_wheels_on() -> None:
    metrics = Metrics()
    sink = MetricsSink(metrics)
    sink.on_device(DeviceName("a"))
    for lead_ms, accepted in ((120.0, True), (None, True), (130.0, False)):
        sink.on_event(Shot(DeviceName("a"), 0, 0.0, lead_ms is not None, lead_ms, 0.9, accepted, "m", id=""), None)
    shown = values(metrics)
    assert shown["stinger_lead_seconds_count",] == 1
    assert shown["stinger_lead_seconds_sum",] == pytest.approx(0.12)


def test_lead_of_all_devices_is_one_histogram_without_labels() -> None:
    shown = values(busy_metrics())
    counts = [shown["stinger_lead_seconds_bucket", bound] for bound in ("0.075", "0.1", "0.2", "0.3", "+Inf")]
    assert counts == [0, 2, 2, 3, 3]
    assert shown["stinger_lead_seconds_count",] == 3
    assert shown["stinger_lead_seconds_sum",] == pytest.approx(0.43)


def test_latency_is_counted_in_the_right_buckets() -> None:
    shown = values(busy_metrics())
    name = "stinger_latency_seconds"
    counts = [shown[f"{name}_bucket", "decision", str(bound)] for bound in BUCKETS_S]
    assert counts == [0, 0, *[1] * 11]
    assert shown[f"{name}_bucket", "decision", "+Inf"] == shown[f"{name}_count", "decision"] == 3
    assert shown[f"{name}_sum", "decision"] == pytest.approx(4.0003)
    assert shown[f"{name}_count", "score"] == 0


def test_bucket_includes_its_upper_bound() -> None:
    metrics = Metrics()
    metrics.read.observe(100_000)
    assert values(metrics)["stinger_latency_seconds_bucket", "read", "0.0001"] == 1


def test_device_name_is_escaped() -> None:
    metrics = Metrics()
    name = 'a"} 1\nevil{x="\\'
    metrics.device(name).samples += 1
    metrics.set_model(name, name)
    assert values(metrics)["stinger_samples_total", name] == 1


def test_device_keeps_its_counters_until_it_is_removed() -> None:
    metrics = Metrics()
    assert metrics.device("a") is metrics.device("a")
    metrics.forget("a")
    assert ("stinger_samples_total", "a") not in values(metrics)


def test_two_daemons_in_one_process_have_separate_metrics() -> None:
    metrics = Metrics()
    metrics.device("a").samples += 1
    assert ("stinger_samples_total", "a") not in values(Metrics())


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian package prometheus) is not installed; PROMTOOL names it")
@pytest.mark.parametrize("metrics", [Metrics(), busy_metrics()], ids=["idle", "busy"])
def test_promtool_accepts_the_text(metrics: Metrics) -> None:
    assert PROMTOOL
    done = subprocess.run(
        [Path(PROMTOOL), "check", "metrics"],
        input=metrics.expose(),
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "running-a-hall.md").read_text(encoding="utf-8")
    names = {line.split()[2] for line in busy_metrics().expose().decode().splitlines() if line.startswith("# TYPE ")}
    assert [name for name in sorted(names) if f"`{name}`" not in page and not name.startswith("process_")] == []


def test_a_daemon_without_a_port_for_metrics_does_not_import_prometheus_client() -> None:
    code = "import sys, service.cli.run; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_uploads_are_counted_if_recordings_are_uploaded() -> None:
    shown = values(busy_metrics())
    for name, expected in {
        "uploaded_total": 6,
        "uploaded_bytes_total": 102_000,
        "upload_failures_total": 2,
        "upload_waiting": 3,
        "upload_waiting_bytes": 51_000,
        "upload_waiting_seconds": 12.5,
    }.items():
        assert shown[f"stinger_recordings_{name}",] == expected, name
    assert ("stinger_recordings_uploaded_total",) not in values(Metrics())


def test_recordings_deleted_before_their_upload_are_counted() -> None:
    metrics = busy_metrics()
    metrics.set_stored(kept=1, kept_bytes=2, deleted=3, deleted_before_upload=2)
    assert values(metrics)["stinger_recordings_deleted_before_upload_total",] == 2
