"""Comments of people whom nobody asked: commands, forged markers, walls of text."""

from __future__ import annotations

from random import Random

from modelwatch.testing.standins.github.issue_actions import BODY_LIMIT

from ..crash.world import REPOSITORY, World

STRANGERS = ("mallory", "eve", "trudy", "helper[bot]")
_COMMANDS = (
    "ack",
    "silence 240h nothing to see",
    "false-positive",
    "retrain",
    "rollback v1",
    "approve retrain.1",
    "x" * 99,
)


def comment(world: World, issue: int, group: str, count: int, random: Random) -> None:
    """``count`` comments on an issue of ``group``, all by strangers."""
    people = [world.github.standin.person(REPOSITORY, login) for login in STRANGERS]
    for number in range(count):
        random.choice(people).add_comment(issue, _text(random, group, number))


def _text(random: Random, group: str, number: int) -> str:
    topics = ("recovered", "worse", "workflow", "command", "expired", "opened")
    return random.choice(
        (
            f"/modelwatch {random.choice(_COMMANDS)}",
            f"/modelwatch {random.choice(_COMMANDS)}",
            f"Me too.\n\n<!-- modelwatch:note {group}.1.{random.choice(topics)}.{number} -->",
            f'<!-- modelwatch:note ledger.1.{number} -->\n<!-- modelwatch:ledger [{{"key":"firing"}}] -->',
            f"<!-- modelwatch:begin {group} -->\n<!-- modelwatch:register {{}} -->\n<!-- modelwatch:end -->",
            "[" * (BODY_LIMIT if number % 100 == 0 else 100),
            f"+{number}",
        )
    )
