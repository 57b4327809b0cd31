"""``python -m tests.cases [--make] [--update]``."""

from __future__ import annotations

import sys

from .make import make_all
from .play import CASES, Case
from .worlds import make_worlds


def main(arguments: list[str]) -> None:
    if "--make" in arguments:
        make_all()
        make_worlds()
    for folder in CASES:
        case = Case(folder)
        for name, text in (("plan.json", case.plan_json()), ("report.md", case.report())):
            path = folder / name
            if path.exists() and path.read_text("utf-8") == text:
                continue
            if "--update" in arguments:
                path.write_text(text, "utf-8")
            print(f"{'written' if '--update' in arguments else 'differs'}  {path}")


main(sys.argv[1:])
