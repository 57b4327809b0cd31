"""Dask: the cluster that a ``distributed.Client`` of this process is connected to, else processes on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import require_extra
from .file_partitions import FilesEngine


class DaskPool:
    """Delayed calls, computed when they are collected."""

    name = "Dask"

    def __init__(self) -> None:
        with require_extra("dask", where="--engine dask"):
            import dask
        self._dask = dask

    def share(self, value: Any) -> Any:
        return self._dask.delayed(value, pure=False, traverse=False)

    def submit(self, function: Callable[..., bytes], *arguments: Any) -> Any:
        return self._dask.delayed(function, pure=False, traverse=False)(*arguments)

    def collect(self, handles: Sequence[Any]) -> list[bytes]:
        scheduler = None if self._has_scheduler() else "processes"
        return list(self._dask.compute(*handles, scheduler=scheduler))

    def _has_scheduler(self) -> bool:
        """Whether the user chose one: by configuration, or by connecting to a cluster, which loads ``distributed``."""
        if self._dask.config.get("scheduler", None) is not None:
            return True
        distributed = sys.modules.get("distributed")
        try:
            return distributed is not None and distributed.get_client() is not None
        except ValueError:
            return False


class DaskEngine(FilesEngine):
    """The workers of a Dask cluster. Raises MissingExtraError without the extra `dask`."""

    def __init__(self) -> None:
        super().__init__(DaskPool())
