"""Read prediction logs in batches: Parquet and CSV files, folders, globs, W&B artifacts, and queries through DuckDB."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..clients.retry import RetryPolicy
from ..clients.wandb import open_api, translate_wandb_error
from ..clients.wandb_artifacts import TABLES, download_artifact
from ..errors import SourceError, check_columns, did_you_mean, require_extra
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..regular_file import read_regular_file, require_regular_file
from .log_files import TABLE_SUFFIXES, FilesLog
from .query_log import QueryLog

MAX_TABLE_BYTES = 256 << 20
"""Of a W&B table, which is read as a whole."""
TABLE_SUFFIX = ".table.json"
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")


class PredictionLog(Protocol):
    """The rows of a prediction log, which can be read several times."""

    where: str

    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""

    def rows(self) -> int | None:
        """The number of rows, if it is known without reading them."""

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """``pyarrow.RecordBatch``es with those of ``columns`` that exist."""


def open_log(
    location: str,
    extensions: Sequence[str] = (),
    skipped: MutableMapping[str, SourceError] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> PredictionLog:
    """Open a file, a folder, a glob or a URL, which DuckDB reads with ``extensions``. Raises SourceError if it holds no
    table. ``skipped`` and ``kinds`` as in ``FilesLog``."""
    if "://" in location:
        quoted = location.replace("'", "''")
        return QueryLog(f"SELECT * FROM '{quoted}'", extensions, location)  # noqa: S608 - the user's own query
    return open_files(location, "measure: {files}", skipped, kinds)


def open_files(
    location: str,
    key: str,
    skipped: MutableMapping[str, SourceError] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> FilesLog:
    """Open a file, a folder or a glob, which the configuration names under ``key``. Raises SourceError if it holds no
    table, and MissingExtraError. ``skipped`` and ``kinds`` as in ``FilesLog``."""
    with require_extra("profiling", where=location):
        import pyarrow  # noqa: F401
    folder, root = Path(location), _root(location)
    _refuse_table_formats(folder)
    matches = map(str, folder.rglob("*")) if folder.is_dir() else glob.glob(location, recursive=True)
    files = sorted(matches)
    tables = [path for path in files if path.lower().endswith(TABLE_SUFFIXES) and not _is_hidden(path, root)]
    if not tables and any(path.lower().endswith(_JSON_SUFFIXES) for path in files):
        pattern = f"{location}/*.jsonl" if folder.is_dir() else location
        hint = f"Write Parquet or CSV files, or let `measure` read them through DuckDB: `query: \"FROM '{pattern}'\"`."
        raise SourceError("JSON files are not read directly.", hint=hint, where=location)
    if not tables and not folder.is_dir() and files:
        raise SourceError("this is neither a Parquet (.parquet, .pq) nor a CSV (.csv) file.", where=location)
    for path in tables:
        require_regular_file(path)
    if not tables:
        is_name = not (folder.exists() or glob.has_magic(location))
        message = "there is no such file or folder." if is_name else "there is no Parquet or CSV file here."
        raise SourceError(message, hint=f"Check `{key}`: a file, a folder or a pattern of files.", where=location)
    return FilesLog(tables, root, skipped, kinds)


def _refuse_table_formats(folder: Path) -> None:
    """Raises SourceError for Delta and Iceberg tables: their Parquet files hold deleted rows, too."""
    for name, pattern, function in (
        ("a Delta", "_delta_log/*.json", "delta_scan"),
        ("an Iceberg", "metadata/*.metadata.json", "iceberg_scan"),
    ):
        if folder.is_dir() and next(folder.glob(pattern), None):
            extension = function.partition("_")[0]
            keys = f"query: \"FROM {function}('{folder}')\", extensions: [{extension}]"
            hint = f"Read it through DuckDB instead: `measure: {{{keys}}}`."
            raise SourceError(
                f"this is {name} table, whose files hold deleted rows, too.", hint=hint, where=str(folder)
            )


def _root(location: str) -> str:
    """Where the names of folders begin to be columns: the folder, or that in which a pattern begins."""
    if Path(location).is_dir():
        return location
    parts = Path(location).parts[:-1]
    first = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:first])) if first < len(parts) else ""


def _is_hidden(path: str, root: str) -> bool:
    """Whether the file, or a folder between ``root`` and it, keeps books for another program (``_delta_log``)."""
    return any(part[0] in "._" for part in (Path(path).relative_to(root).parts if root else ()))


def require_columns(log: PredictionLog, names: Sequence[str]) -> None:
    """Raises SourceError for the first of ``names`` that the log does not have."""
    check_columns(names, log.names(), log.where)


def absent_role_notes(names: Sequence[str], spec: MeasureSpec, roles: Sequence[str], *, known: bool) -> Iterator[str]:
    """A note for each of ``roles`` (keys of ``measure``) whose column is missing. One that is missing by a slip of the
    pen would leave the real column among the features. ``known``: that it is missing is worth a note in itself."""
    free = [name for name in names if name not in spec.role_columns and name not in spec.segments]
    for role in roles:
        column = getattr(spec, role)
        if not column or column in names:
            continue
        near = did_you_mean(column, free, "")
        taken = "" if not near or spec.features else " It counts as a feature now."
        if near or known:
            yield f"there is no column {column!r}, which `measure: {{{role}}}` names. {near}{taken}".rstrip()


def fetch_artifact(name: str, model: Model, env: Mapping[str, str], retry: RetryPolicy, scratch: Path) -> str:
    """Download ``entity/project/name:alias`` from the model's W&B server. Returns the folder of its Parquet and CSV
    files. Raises SourceError."""
    api = open_api(model.wandb_url(env), env.get("WANDB_API_KEY", ""), retry)
    folder = scratch / "artifact"
    try:
        download_artifact(api, api.artifact(name), TABLES, folder, retry)
    except Exception as error:
        raise translate_wandb_error(error, name) from error
    for path in sorted(folder.rglob(f"*{TABLE_SUFFIX}")):
        _convert_table(path)
    return str(folder)


def _convert_table(path: Path) -> None:
    """Write a W&B table as Parquet beside its file. A column of mixed types becomes one of texts."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        content = json.loads(read_regular_file(path, MAX_TABLE_BYTES))
        names, rows = [str(name) for name in content["columns"]], content["data"]
        columns = {name: _to_array([row[index] for row in rows]) for index, name in enumerate(names)}
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise SourceError(f"this is not a readable W&B table: {error}", where=path.name) from error
    pyarrow.parquet.write_table(pa.table(columns), str(path).removesuffix(TABLE_SUFFIX) + ".parquet")


def _to_array(cells: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
        return pa.array(texts, pa.string())
