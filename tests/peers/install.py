"""Environments of the peers: made once below ``.tools/peers``, from pins, and again when the pins change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NAMES = ("evidently", "nannyml")
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
"""Neither may report that it ran."""


class NotInstalled(Exception):  # noqa: N818 - a word of ours
    """A peer's environment could not be made; says why. The usual reason: no internet."""


def installed(name: str) -> Path:
    """The Python of a peer's environment, which is made where it is missing or of other pins. Raises NotInstalled."""
    place = ROOT / ".tools" / "peers" / name
    pins = HERE / f"requirements-{name}.txt"
    stamp, python = place / "installed", place / "bin" / "python"
    if stamp.exists() and stamp.read_bytes() == pins.read_bytes() and python.exists():
        return python
    print(f"Installing {name} into {place.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
    _uv("pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--python", str(python), "-r", str(pins))
    stamp.write_bytes(pins.read_bytes())
    return python


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).parent / "uv"
    try:
        subprocess.run([uv, *arguments], check=True, stderr=subprocess.PIPE, text=True, timeout=900)
    except subprocess.CalledProcessError as error:
        raise NotInstalled(error.stderr.strip()) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error


def run(name: str, script: str, *arguments: str) -> str:
    """What a script of this folder prints in a peer's environment. Raises NotInstalled, or RuntimeError."""
    command = [str(installed(name)), str(HERE / script), *arguments]
    done = subprocess.run(command, env=dict(os.environ) | QUIET, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout
