"""Brokers for the tests of the daemon, and what they let people in with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.brokers import Mosquitto
from tests.helpers.patience import PATIENCE_S


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A password file of mosquitto's that knows ``anna``, whose password is ``sesame``."""
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    path = tmp_path / "passwords"
    subprocess.run([program, "-b", "-c", str(path), "anna", "sesame"], check=True, timeout=PATIENCE_S)
    return path


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with a CA of our own and what it signed: ``broker`` for 127.0.0.1, and ``client``."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "certificates"
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=PATIENCE_S)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA")
    for name, extension in (("broker", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        (folder / f"{name}.ext").write_text(extension)
        openssl("req", *key[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt"),
        )
    return folder


@pytest.fixture
def tls_mosquitto(tmp_path: Path, certificates: Path) -> Iterator[Mosquitto]:
    """A broker that lets in only whom the CA in ``certificates`` knows, and is known by it."""
    paths = {name: certificates / name for name in ("ca.crt", "broker.crt", "broker.key")}
    settings = f"cafile {paths['ca.crt']}\ncertfile {paths['broker.crt']}\nkeyfile {paths['broker.key']}"
    broker = Mosquitto(tmp_path / "tls", f"{settings}\nrequire_certificate true\nuse_identity_as_username true")
    broker.start()
    yield broker
    broker.kill()
