"""Golden files: the plan for an empty account, the plan after a change, what is left alone; as table and as JSON.

``python -m tests.pagerduty_setup.golden`` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

from .world import CHANGED, MARK, World, run

HERE = Path(__file__).parent / "golden"
CASES = ("empty", "changed", "foreign")


def prepare(world: World, case: str) -> None:
    world.renew()
    if case == "changed":
        world.apply()
        world.config(CHANGED)
        row = dict(world.subscriptions()[0], id="PHALF", active=False, description=f"x; {MARK} (being set up)")
        world.state.subscriptions["PHALF"] = row
    elif case == "foreign":
        world.state.add_policy("ML on call", "Made by hand")


def shown(world: World, case: str) -> dict[str, str]:
    """File name -> text; addresses and digests differ every time (tokens do not: they are counted)."""
    prepare(world, case)
    found = {}
    for name, arguments in ((f"{case}.txt", ()), (f"{case}.json", ("--format", "json"))):
        text = run("plan", *arguments).out.replace(world.server.url, "https://pagerduty.example")
        text = re.sub(r"[0-9a-f]{16}", "<digest>", text)
        found[name] = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    return found


def write() -> None:
    with tempfile.TemporaryDirectory() as folder, Server(PagerDutyStandIn()) as server:
        os.chdir(folder)
        world = World(server, Path(folder))
        world.renew()
        os.environ.update(world.env())
        for case in CASES:
            for name, text in shown(world, case).items():
                (HERE / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
