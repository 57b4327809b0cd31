"""Ray: the cluster that this process is connected to or ``RAY_ADDRESS`` names, else processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import require_extra
from .file_partitions import FilesEngine


class RayPool:
    """Remote calls, which begin when they are submitted."""

    name = "Ray"

    def __init__(self) -> None:
        with require_extra("ray", where="--engine ray"):
            import ray
        self._ray = ray
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="WARNING")

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def submit(self, function: Callable[..., bytes], *arguments: Any) -> Any:
        return self._ray.remote(function).remote(*arguments)

    def collect(self, handles: Sequence[Any]) -> list[bytes]:
        return list(self._ray.get(list(handles)))


class RayEngine(FilesEngine):
    """The workers of a Ray cluster. Raises MissingExtraError without the extra `ray`."""

    def __init__(self) -> None:
        super().__init__(RayPool())
