"""Keep NumPy from sorting with AVX-512 on AMD's Zen 4, where that takes six times as long as with AVX2.

There the instruction that packs some lanes of a register into memory is microcode: sorting 32,768 numbers takes 31 ns
each, and 6 ns without it. Sorting is most of what a profile costs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "NPY_DISABLE_CPU_FEATURES"
"""Read by NumPy when it is imported; a value that is set already is left, the empty one too."""
AVX512 = "X86_V4"
"""The name of the instruction set from NumPy 2.4 on; an earlier version does not know it, and goes on."""
HEAD_BYTES = 2048
"""Of the description of the processors: more than the first one takes."""


def disable_slow_avx512(env: MutableMapping[str, str], description: Path = Path("/proc/cpuinfo")) -> None:
    """Set the variable, unless NumPy is loaded, which would come too late."""
    if VARIABLE in env or "numpy" in sys.modules:
        return
    try:
        with description.open(encoding="utf-8", errors="replace") as file:
            processor = file.read(HEAD_BYTES)
    except OSError:
        return
    if is_zen4(processor):
        env[VARIABLE] = AVX512


def is_zen4(description: str) -> bool:
    """Whether ``/proc/cpuinfo`` describes AMD's family 25: Zen 4, and Zen 3, which has no AVX-512 to disable."""
    fields = dict(re.findall(r"^(vendor_id|cpu family)\s*:\s*(\S+)$", description, re.MULTILINE))
    return fields.get("vendor_id") == "AuthenticAMD" and fields.get("cpu family") == "25"
