"""A scene that was played once, and begins again where it ended as often as it is asked for."""

from __future__ import annotations

import copy
import io
import itertools
import os
import pickle
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import RecordedRequest, Server
from tests.cli.world import Clock, World

SHARED = (type(threading.Lock()), type(threading.RLock()), itertools.count, Clock, FunctionType)
"""What a copy of a stand-in has in common with it."""


@dataclass(frozen=True)
class Stage:
    """``servers``: all that the scene knows, GitHub and PagerDuty among them."""

    world: World
    servers: tuple[Server[Any], ...]
    now: float
    env: dict[str, str]
    folder: Path
    """A copy of the world's folder."""
    standins: tuple[_Copy, ...]
    faults: tuple[list[Fault], ...]
    requests: tuple[list[RecordedRequest], ...]

    @classmethod
    def of(cls, world: World, servers: tuple[Server[Any], ...], folder: Path) -> Stage:
        """As everything is now; ``folder``: for the copy, which does not exist yet."""
        shutil.copytree(world.folder, folder, symlinks=True)
        return cls(
            world,
            servers,
            world.clock.now,
            dict(os.environ),
            folder,
            tuple(_Copy(server.standin) for server in servers),
            tuple(copy.deepcopy(server.faults) for server in servers),
            tuple(list(server.requests) for server in servers),
        )

    def begin(self) -> None:
        """Everything is again as it was."""
        self.world.clock.now = self.now
        os.environ.clear()
        os.environ.update(self.env)
        for path in self.world.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.copytree(self.folder, self.world.folder, symlinks=True, dirs_exist_ok=True)
        for server, standin, faults, requests in zip(
            self.servers, self.standins, self.faults, self.requests, strict=True
        ):
            assert server.errors == []
            server.standin = standin.make()
            server.faults[:] = copy.deepcopy(faults)
            server.requests[:] = requests


class _Copy:
    """A stand-in with all that it holds."""

    def __init__(self, standin: object) -> None:
        self._shared: list[object] = []
        target = io.BytesIO()
        _Pickler(target, self._shared).dump(standin)
        self._data = target.getvalue()

    def make(self) -> Any:
        return _Unpickler(io.BytesIO(self._data), self._shared).load()


class _Pickler(pickle.Pickler):
    def __init__(self, target: io.BytesIO, shared: list[object]) -> None:
        super().__init__(target)
        self._shared = shared

    def persistent_id(self, obj: object) -> int | None:
        if not isinstance(obj, SHARED):
            return None
        self._shared.append(obj)
        return len(self._shared) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, shared: list[object]) -> None:
        super().__init__(source)
        self._shared = shared

    def persistent_load(self, pid: int) -> object:
        return self._shared[pid]


@contextmanager
def environment_kept() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
