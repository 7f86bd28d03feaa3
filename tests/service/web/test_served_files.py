"""Reports that the page serves: only they, and without power over the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from service.web.served_files import file_url, find_file
from stinger.errors import InputError
from tests.helpers.patience import PATIENCE_S
from tests.service.web.stage import Stage

RUN = "20260101T000000.000Z"
HOSTILE = """<!doctype html><title>report</title><p>a report</p><img src="http://127.0.0.1:1/x.png">
<script>document.title = "owned"</script><img src=x onerror="document.title = 'owned'">
<a href="javascript:document.title = 'owned'">x</a>"""


@pytest.fixture(scope="module")
def page_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page without a daemon, with reports and secrets in its data folder."""
    stage = Stage(tmp_path_factory.mktemp("files"))
    for folder in ("bench", "reports", "personal"):
        (stage.data / folder / RUN).mkdir(parents=True)
    (stage.data / "bench" / RUN / "report.html").write_text(HOSTILE)
    (stage.data / "bench" / RUN / ".hidden.html").write_text("secret")
    (stage.data / "bench" / RUN / "log.txt").write_text("secret")
    (stage.data / "broker-password").write_text("secret")
    (stage.data / "secret.json").write_text("secret")
    (stage.data / "bench" / RUN / "link.json").symlink_to(stage.data / "secret.json")
    (stage.data / "bench" / "linked").symlink_to(stage.data)
    try:
        stage.start_page()
        yield stage
    finally:
        stage.close()


def test_a_report_runs_no_script_and_loads_nothing(page_only: Stage, browser: Browser) -> None:
    # Not the fixture "context", which fails when a policy forbids something: here it must.
    with closing(browser.new_context()) as context:
        page = context.new_page()
        forbidden: list[str] = []
        page.on("console", lambda line: forbidden.append(line.text) if "img-src" in line.text else None)
        page.goto(f"{page_only.address}{file_url('bench', RUN, 'report.html')}")
        page.get_by_text("a report").wait_for()
        page.wait_for_timeout(200)
        assert page.title() == "report"
        assert forbidden


def test_a_report_has_both_policies(page_only: Stage) -> None:
    answer = httpx.get(f"{page_only.address}{file_url('bench', RUN, 'report.html')}", timeout=PATIENCE_S)
    policies = answer.headers.get_list("content-security-policy")
    assert any(policy.startswith("sandbox; default-src 'none'") for policy in policies)
    assert any("frame-ancestors 'none'" in policy for policy in policies)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "bench/../broker-password",
        "bench/%2e%2e/broker-password",
        "bench/%2e%2e%2fsecret.json",
        f"bench/{RUN}/%2e%2e/%2e%2e/secret.json",
        f"bench/{RUN}/..%5c..%5csecret.json",
        f"bench/{RUN}/.hidden.html",
        f"bench/{RUN}/log.txt",
        f"bench/{RUN}/link.json",
        "bench/linked/secret.json",
        f"bench/{RUN}",
        "bench/",
        "registry/champion",
        "%2e/secret.json",
        f"bench/{RUN}/report.html%00.json",
    ],
)
def test_nothing_else_is_served(page_only: Stage, path: str) -> None:
    answer = httpx.get(f"{page_only.address}/files/{path}", follow_redirects=True, timeout=PATIENCE_S)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.json", "")


@given(st.lists(st.sampled_from(["a.md", "..", ".", "", "b", "/", "\\", "c:", "~", "\0", "%2e"]), max_size=6))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    outside = tmp_path_factory.getbasetemp() / "outside"
    inside = outside / "inside"
    (inside / "b").mkdir(parents=True, exist_ok=True)
    for folder in (outside, inside, inside / "b"):
        (folder / "a.md").touch()
    for name in ("/".join(parts), "".join(parts)):
        try:
            found = find_file(inside, name)
        except InputError:
            continue
        assert found.resolve() in {inside / "a.md", inside / "b" / "a.md"}


def test_a_file_of_a_known_kind_is_found(tmp_path: Path) -> None:
    (tmp_path / RUN).mkdir()
    (tmp_path / RUN / "overview.png").write_bytes(b"")
    assert find_file(tmp_path, f"{RUN}/overview.png") == tmp_path / RUN / "overview.png"
