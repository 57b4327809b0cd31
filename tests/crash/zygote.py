"""A process that has imported modelwatch and forks one child for each evaluation: a real process, sooner.

It does nothing but fork, wait and tell; the child calls the command line as the console script does, and can be killed
as any process can. Commands come as lines of JSON on standard input, answers go as lines of JSON to standard output.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

VENDORS = ("github", "msgspec", "pandas", "rich.console", "rich.table", "scipy.stats", "requests", "wandb")
LEFT_OUT = ("modelwatch.testing", "modelwatch.__main__")


@dataclass(frozen=True, slots=True)
class Asked:
    """One evaluation: arguments of the command line, the whole environment, where to be, where output goes."""

    arguments: list[str]
    env: Mapping[str, str]
    cwd: str
    output: str


def main() -> None:
    """Serve until standard input ends. Children never return from it."""
    warm_up()
    gc.freeze()  # what a collection marks is copied in every child
    answers = os.dup(1)
    told(answers, {"ready": True})
    while line := sys.stdin.readline():
        asked = Asked(**json.loads(line))
        child = os.fork()
        if child == 0:
            os.close(answers)
            become(asked)
        told(answers, {"pid": child})
        _, status = os.waitpid(child, 0)
        told(answers, {"code": os.waitstatus_to_exitcode(status)})


def warm_up() -> None:
    """Import what an evaluation imports; nothing is opened, nothing is called."""
    import modelwatch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in (*VENDORS, "pdpyras"):
            importlib.import_module(name)
    for module in pkgutil.walk_packages(modelwatch.__path__, "modelwatch."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)


def told(answers: int, answer: dict[str, Any]) -> None:
    os.write(answers, json.dumps(answer).encode() + b"\n")


def become(asked: Asked) -> NoReturn:
    """This process is from now on what a shell would have started."""
    output = os.open(asked.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(asked.cwd)
    os.environ.clear()
    os.environ.update(asked.env)
    from modelwatch.cli import main as modelwatch

    try:
        modelwatch(asked.arguments)
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(
            end.code if isinstance(end.code, int) else 1
        )  # taking the interpreter apart costs longer than all else
    os._exit(1)


if __name__ == "__main__":
    main()
