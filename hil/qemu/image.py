"""Build the firmware's image for QEMU, and lay out what the image finds in its flash."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from stinger.errors import InputError
from stinger.files import make_folder, write_bytes
from stinger.mlmd import BlasterModel, encode_mlmd
from stinger.sample import SAMPLE_BYTES, SampleArray

COMPILER: Final = "arm-none-eabi-gcc"
INSTALL_COMPILER: Final = "on Debian: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"

BLASTER: Final = "blaster"

_OPTIONS: Final = (
    "-mcpu=cortex-m0", "-mthumb", "-std=c99", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic",
    "-ffunction-sections", "-fdata-sections", "-nostartfiles", "--specs=nosys.specs", "-Wl,--gc-sections",
)  # fmt: skip
_DEFINE: Final = re.compile(r"^#define (\w+) (0x[0-9A-F]+|\d+)$", re.MULTILINE)
_LR_BYTES: Final = 244


def firmware_folder() -> Path:
    """Return the folder of the C sources."""
    return Path(str(resources.files("hil") / "firmware"))


def build_image(folder: Path | None = None, *, program: str = BLASTER) -> Path:
    """Build the image, unless it was built from the same sources before, and return the path of the ELF file.

    ``program`` is the blaster, or ``cost``, which counts instructions. The image is kept in ``folder``, by default the
    user's folder for caches. Raises :class:`InputError` if the compiler is missing or fails.
    """
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise InputError(f"building the firmware needs {COMPILER} ({INSTALL_COMPILER})")
    library, board = firmware_folder() / "stinger" / "src", firmware_folder() / "qemu"
    main = board / "main.c" if program == BLASTER else firmware_folder() / program / "main.c"
    sources = sorted([*library.glob("*.c"), board / "board.c", board / "startup.c", main])
    read = sorted([*sources, *library.glob("*.h"), *board.glob("*.h"), board / "microbit.ld"])
    digest = sha256("".join([compiler, *_OPTIONS]).encode())
    for path in read:
        digest.update(path.read_bytes())
    kept = (user_cache_path("stinger-ml") / "firmware" if folder is None else folder) / digest.hexdigest()[:16]
    image = kept / f"{program}.elf"
    if image.exists():
        return image
    make_folder(kept)
    new = kept / "new.elf"
    command = [compiler, *_OPTIONS, "-T", str(board / "microbit.ld"), f"-I{library}", f"-I{board}"]
    command += [*map(str, sources), "-lm", "-o", str(new)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if built.returncode:
        raise InputError(f"the firmware does not compile: {built.stderr.strip().splitlines()[-1:]}")
    write_bytes(image, new.read_bytes())
    new.unlink(missing_ok=True)
    return image


def flash_layout() -> dict[str, int]:
    """Return the addresses and sizes in the flash, by the names that the firmware's ``layout.h`` defines."""
    text = (firmware_folder() / "qemu" / "layout.h").read_text(encoding="ascii")
    return {name: int(number, 0) for name, number in _DEFINE.findall(text)}


def settings_block(lr: BlasterModel, mlp: BlasterModel, threshold: float, *, repeat: bool) -> bytes:
    """Return what the image reads at ``SETTINGS``: its factory models, and the threshold of the wheels.

    With ``repeat`` the recording plays again and again from the reset on, otherwise once from the first stream on.
    """
    files = encode_mlmd(lr), encode_mlmd(mlp)
    return struct.pack("<fIII", threshold, repeat, *map(len, files)) + files[0].ljust(_LR_BYTES, b"\0") + files[1]


def recording_block(samples: SampleArray) -> bytes:
    """Return what the image reads at ``RECORDING``: ``samples`` ``(n,)``, which it plays 10 ms apart.

    Raises :class:`InputError` for none, or for more than fit into the flash (86 s).
    """
    most = (flash_layout()["RECORDING_BYTES"] - 4) // SAMPLE_BYTES
    if not 1 <= samples.shape[0] <= most:
        raise InputError(
            f"the recording has {samples.shape[0]:,} samples: the device in QEMU plays 1 to {most:,} (86 s)"
        )
    return struct.pack("<I", samples.shape[0]) + samples.tobytes()
