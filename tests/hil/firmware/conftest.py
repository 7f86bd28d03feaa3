from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hil.emulated.factory import factory_models
from stinger.mlmd import encode_mlmd
from tests.hil.firmware.library import Device, build_library

MakeDevice = Callable[..., Device]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The C library, built for this machine; skips where there is no gcc."""
    return build_library(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def make_device(library: ctypes.CDLL) -> Iterator[MakeDevice]:
    """Make devices with the factory models; ``lr=b""`` or ``mlp=b""`` leaves one out."""
    lr, mlp = (encode_mlmd(model) for model in factory_models())
    with ExitStack() as devices:

        def make(**options: object) -> Device:
            return devices.enter_context(Device(library, **{"lr": lr, "mlp": mlp, **options}))  # type: ignore[arg-type]

        yield make


@pytest.fixture
def device(make_device: MakeDevice) -> Device:
    """A device with both factory models."""
    return make_device()
