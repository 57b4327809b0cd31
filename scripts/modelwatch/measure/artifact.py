"""Prediction logs that are W&B artifacts: their files, and W&B tables turned into Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..clients.patience import RetryPolicy
from ..clients.wandb import open_api, translate_wandb_error
from ..errors import SourceError

TABLE_SUFFIX = ".table.json"


def fetch_artifact(name: str, base_url: str, key: str, retry: RetryPolicy, scratch: Path) -> str:
    """Downloads ``entity/project/name:alias``; gives the folder of its Parquet and CSV files. Raises SourceError."""
    api = open_api(base_url, key, retry)
    folder = scratch / "artifact"
    try:
        api.artifact(name).download(root=str(folder))
    except Exception as error:
        raise translate_wandb_error(error, name) from error
    for path in sorted(folder.rglob(f"*{TABLE_SUFFIX}")):
        _convert_table(path)
    return str(folder)


def _convert_table(path: Path) -> None:
    """Beside the file of a W&B table the same as Parquet. A column of mixed types becomes one of texts."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        content = json.loads(path.read_text("utf-8"))
        names, rows = [str(name) for name in content["columns"]], content["data"]
        columns = {name: _to_array([row[place] for row in rows]) for place, name in enumerate(names)}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SourceError(f"this is not a readable W&B table: {error}", where=path.name) from error
    pyarrow.parquet.write_table(pa.table(columns), str(path).removesuffix(TABLE_SUFFIX) + ".parquet")


def _to_array(cells: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
        return pa.array(texts, pa.string())
