"""AVX-512 is left alone, except where it is slow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelwatch.cli.cpu_features import AVX512, VARIABLE, disable_slow_avx512, is_zen4

ZEN4 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n"
OTHERS = (ZEN4.replace("AuthenticAMD", "GenuineIntel"), ZEN4.replace("25", "26"), "", "processor: 0")


def test_zen4_is_told_from_other_processors() -> None:
    assert is_zen4(ZEN4)
    assert not any(map(is_zen4, OTHERS))


@pytest.mark.parametrize(
    ("described", "env", "found"),
    [
        (ZEN4, {}, {VARIABLE: AVX512}),
        (ZEN4, {VARIABLE: ""}, {VARIABLE: ""}),
        (OTHERS[0], {}, {}),
        (None, {}, {}),
    ],
)
def test_the_variable_is_set_unless_somebody_else_did(
    described: str | None, env: dict[str, str], found: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    if described is not None:
        path.write_text(described)
    changed = dict(env)
    monkeypatch.setitem(sys.modules, "numpy", sys)
    disable_slow_avx512(changed, path)
    assert changed == env  # NumPy is loaded: too late.
    monkeypatch.delitem(sys.modules, "numpy")
    disable_slow_avx512(changed, path)
    assert changed == found


def test_measuring_decides_before_numpy_is_loaded(tmp_path: Path) -> None:
    code = (
        "import os, sys; from modelwatch.cli import group; from modelwatch.cli import cpu_features as it\n"
        "os.environ.pop(it.VARIABLE, None); it.is_zen4 = lambda text: True\n"
        "group.get_command(None, 'measure'); assert os.environ[it.VARIABLE] == it.AVX512\n"
        "import numpy as np; values = np.random.default_rng(0).normal(size=99_999)\n"
        "assert np.sort(values).tolist() == sorted(values.tolist())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
