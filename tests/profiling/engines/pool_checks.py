"""Dask and Ray on this machine against one process; ``test_clusters.py`` runs this where they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import SourceError
from modelwatch.profiling.engines.engine import open_engine

from .measured import assert_same, measured, ranked, write_log


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_profiles_rows_and_notes_are_those_of_one_process(name: str, tmp_path: Path) -> None:
    spec = ranked(write_log(tmp_path, files=19))
    assert_same(measured(spec, tmp_path), measured(spec, tmp_path, open_engine(name, {})))


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_broken_files_are_left_out_as_in_one_process(name: str, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    parts = sorted((tmp_path / "log").iterdir())
    parts[1].write_bytes(parts[1].read_bytes()[:2000])
    result = measured(spec, tmp_path, open_engine(name, {}))
    assert_same(measured(spec, tmp_path), result)
    assert any("left out" in note for note in result.notes)
    for part in parts:
        part.write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        measured(spec, tmp_path, open_engine(name, {}))
