"""Who may use the page: hosts, origins, passwords. Requests are made as a browser or another site would make them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from service.web.passwords import AttemptLimit, Password, read_password_hash, write_password_hash
from stinger.errors import FileError, InputError
from tests.helpers.cli import invoke, run_stinger
from tests.helpers.patience import PATIENCE_S
from tests.service.web.stage import Stage

SECRET = "correct horse"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page with a password. It runs without a daemon."""
    stage = Stage(tmp_path_factory.mktemp("guarded"))
    write_password_hash(stage.folder / "page-password", SECRET)
    try:
        stage.start_page("--password-file", stage.folder / "page-password", "--host", "0.0.0.0")
        stage.address = stage.address.replace("0.0.0.0", "127.0.0.1")
        yield stage
    finally:
        stage.close()


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page on loopback, without a password and without a daemon."""
    stage = Stage(tmp_path_factory.mktemp("open"))
    try:
        stage.start_page()
        yield stage
    finally:
        stage.close()


def test_without_a_daemon_the_page_shows_what_is_missing(open_page: Stage, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(open_page.address)
    expect(page.get_by_role("status")).to_contain_text("no connection to the broker")
    expect(page.get_by_text("No blaster yet")).to_be_visible()


def test_without_a_password_only_this_machines_names_are_served(open_page: Stage) -> None:
    assert httpx.get(open_page.address, timeout=PATIENCE_S).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "[::2]", ""):
        assert httpx.get(open_page.address, headers={"Host": host}, timeout=PATIENCE_S).status_code in (400, 421), host


@pytest.mark.parametrize("path", ["/", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", "http://[x::1]"])
def test_requests_from_pages_of_other_origins_are_refused(open_page: Stage, path: str, origin: str) -> None:
    assert httpx.get(f"{open_page.address}{path}", headers={"Origin": origin}, timeout=PATIENCE_S).status_code == 403


def test_a_websocket_of_another_origin_is_refused(open_page: Stage) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    url = f"{open_page.address}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    assert httpx.get(url, headers=handshake | {"Origin": "http://evil.example"}, timeout=PATIENCE_S).status_code == 403


def test_every_answer_has_the_security_headers(open_page: Stage) -> None:
    for path in ("/", "/nothing", "/device/b1"):
        headers = httpx.get(f"{open_page.address}{path}", timeout=PATIENCE_S).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http:" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_guarded_page_serves_nothing_but_the_login(guarded: Stage) -> None:
    for path in ("/", "/device/b1", "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/docs", "/openapi.json"):
        answer = httpx.get(f"{guarded.address}{path}", headers={"Cookie": "stinger_login=guessed"}, timeout=PATIENCE_S)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path


def test_the_right_password_opens_the_page(guarded: Stage, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(guarded.address)
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    page.get_by_label("Password").fill(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Live")
    [cookie] = context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"


def test_after_five_wrong_passwords_not_even_the_right_one_is_tried(guarded: Stage) -> None:
    url = f"{guarded.address}/login"
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=PATIENCE_S) as client:
        wrong = [client.post(url, data={"password": f"guess {i}"}).status_code for i in range(6)]
        answer = client.post(url, data={"password": SECRET})
    assert wrong == [401] * 5 + [429]
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 60
    assert httpx.post(url, data={"password": SECRET}, timeout=PATIENCE_S).status_code == 303  # from another address


def test_a_login_form_that_is_too_long_is_refused(guarded: Stage) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.3"), timeout=PATIENCE_S) as client:
        assert client.post(f"{guarded.address}/login", content=b"password=" + b"x" * 100_000).status_code == 401


def test_another_address_needs_a_password_file(tmp_path: Path) -> None:
    ended = invoke("web", "--host", "0.0.0.0", "--port", "0", "--data-dir", tmp_path)
    assert ended.exit_code == 2
    assert "needs --password-file" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_over_tls_the_cookie_is_sent_over_tls_only(tmp_path: Path, certificates: Path) -> None:
    certificate, key = certificates / "broker.crt", certificates / "broker.key"
    write_password_hash(tmp_path / "page-password", SECRET)
    stage = Stage(tmp_path)
    try:
        options = ("--tls-certificate", certificate, "--tls-key", key)
        stage.start_page("--password-file", tmp_path / "page-password", *options)
        assert stage.address.startswith("https://")
        answer = httpx.post(f"{stage.address}/login", data={"password": SECRET}, verify=False, timeout=PATIENCE_S)
    finally:
        stage.close()
    assert answer.status_code == 303
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_certificate_that_cannot_be_used_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.pem"
    path.write_text(content)
    options = ("--tls-certificate", path, "--tls-key", path)
    ended = run_stinger("web", "--port", "0", "--data-dir", tmp_path, *options)
    assert ended.returncode == 2
    assert "--tls-certificate" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_port_in_use_may_be_tried_again_later(open_page: Stage, tmp_path: Path) -> None:
    port = open_page.address.rpartition(":")[2]
    ended = run_stinger("web", "--port", port, "--data-dir", tmp_path)
    assert ended.returncode == 75
    assert f"--port {port}: cannot listen on 127.0.0.1" in ended.stderr


def test_the_password_file_holds_only_a_hash_and_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "page-password"
    made = invoke("web", "--new-password", "--password-file", path, answer=f"{SECRET}\n{SECRET}\n")
    assert made.exit_code == 0, made.output
    assert path.read_text().startswith("$argon2id$")
    assert SECRET not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    password = read_password_hash(path)
    assert password.matches(SECRET)
    assert not password.matches(SECRET + " ")
    assert not password.matches("x" * 1_000_000)


@pytest.mark.parametrize("content", ["", "secret\n", "$argon2id$v=19$broken", "\x00\xff"])
def test_a_file_without_a_hash_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "page-password"
    path.write_text(content)
    with pytest.raises(FileError, match="--new-password"):
        read_password_hash(path)


def test_a_short_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 to 1,000 characters"):
        write_password_hash(tmp_path / "page-password", "seven77")
    assert list(tmp_path.iterdir()) == []


def test_a_hash_of_another_scheme_is_refused() -> None:
    with pytest.raises(InputError):
        Password("5f4dcc3b5aa765d61d8327deb882cf99")


def test_attempts_are_forgotten_after_a_while_and_counted_by_address() -> None:
    now_s = 0.0
    limit = AttemptLimit(2, 60.0, lambda: now_s)
    limit.count("a")
    now_s = 10.0
    limit.count("a")
    assert limit.wait_s("a") == 50.0
    assert limit.wait_s("b") == 0.0
    now_s = 60.0
    assert limit.wait_s("a") == 0.0


def test_an_interrupted_page_ends_in_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.start_page()
        code, printed = stage.stop("web")
    finally:
        stage.close()
    assert code == 0
    assert "Traceback" not in printed
