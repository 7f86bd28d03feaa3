from __future__ import annotations

import pytest

from models.threshold import Threshold
from service.daemon.fleet import PartitionThresholds
from service.daemon.pipeline import Pipeline
from service.sources.nats_leases import partition_of
from stinger.device_name import DeviceName
from tests.service.daemon.fakes import FakeModel, KeepingSink, serving

PARTITIONS = 16
A, B, C = DeviceName("a"), DeviceName("b"), DeviceName("c")


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = Pipeline(serving(FakeModel()), min_shot_gap_ms=1000)
    pipeline.subscribe(KeepingSink())
    return pipeline


def test_thresholds_are_found_by_partition(pipeline: Pipeline) -> None:
    moving = PartitionThresholds(pipeline, PARTITIONS)
    for device, value in ((A, 0.6), (B, 0.7)):
        pipeline.set_threshold(device, Threshold(value))
    assert partition_of(A, PARTITIONS) != partition_of(B, PARTITIONS)
    assert moving.of(partition_of(A, PARTITIONS)) == {A: 0.6}
    assert moving.of(partition_of(B, PARTITIONS)) == {B: 0.7}


def test_adopted_thresholds_replace_older_ones_of_the_partition_only(pipeline: Pipeline) -> None:
    moving = PartitionThresholds(pipeline, 1)
    common = pipeline.decisions.of(A).on
    pipeline.set_threshold(A, Threshold(0.6))
    pipeline.add_device(A)
    moving.adopt(0, {B: Threshold(0.7)})
    assert [pipeline.decisions.of(device).on for device in (A, B, C)] == [common, 0.7, common]
    pipeline.add_device(B)
    moving.adopt(0, {B: Threshold(0.8)})
    assert pipeline.decisions.of(B).on == 0.8


def test_thresholds_of_other_partitions_stay(pipeline: Pipeline) -> None:
    moving = PartitionThresholds(pipeline, PARTITIONS)
    pipeline.set_threshold(A, Threshold(0.6))
    moving.adopt(partition_of(B, PARTITIONS), {})
    assert pipeline.decisions.of(A).on == 0.6


def test_threshold_that_is_set_for_all_ends_those_of_single_devices(pipeline: Pipeline) -> None:
    moving = PartitionThresholds(pipeline, 1)
    moving.adopt(0, {A: Threshold(0.6)})
    pipeline.set_threshold(None, Threshold(0.9))
    assert (moving.of(0), pipeline.decisions.of(A).on) == ({}, 0.9)
