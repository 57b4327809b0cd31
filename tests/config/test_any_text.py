"""Whatever stands in a file, there is a configuration or a list of problems, never a traceback."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.config import rules, schema
from modelwatch.config.loader import MAX_PROBLEMS, load_config
from modelwatch.config.sections import Section
from modelwatch.errors import ConfigError, UserError

from .golden import BAD, ENV, GOOD, PLANTED

SAMPLES = [path.read_text("utf-8") for path in [*GOOD, *BAD] if path.is_file()]
RECORDS = [value for value in vars(schema).values() if isinstance(value, Section)]
KEYS = sorted({key for record in RECORDS for key in record.fields})
VALUES = [
    "1",
    "2%",
    "24h",
    "x",
    "",
    "~",
    "[]",
    "{}",
    "[a, b]",
    "{a: b}",
    "'*'",
    "${X}",
    "-1",
    "nan",
    "2026-12-01",
    "eval/*/x",
]
SPOTS = [
    "\n",
    " ",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "&a ",
    "*a",
    "<<: ",
    "!x ",
    "\t",
    "%",
    "#",
    "? ",
    "|\n",
    "\0",
    "é",
]


def attempt(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "modelwatch.yml"
        path.write_bytes(data)
        told = problems(path)
    assert PLANTED not in "".join(map(str, told))
    assert all(problem.message for problem in told)
    assert all(problem.where for problem in told[:MAX_PROBLEMS])


def problems(path: Path) -> tuple[UserError, ...]:
    try:
        assert load_config(path, ENV).models
    except ConfigError as error:
        return error.problems
    return ()


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes(data: bytes) -> None:
    attempt(data)


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text(text: str) -> None:
    attempt(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_a_real_file_with_a_few_characters_changed(text: str, dice: random.Random, times: int) -> None:
    for _ in range(times):
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(SPOTS) + text[at + dice.randrange(3) :]
    attempt(text.encode())


def tree(dice: random.Random, depth: int) -> str:
    """Flow YAML of known keys with values of any kind."""
    if depth == 0 or dice.random() < 0.3:
        return dice.choice(VALUES)
    if dice.random() < 0.2:
        return f"[{', '.join(tree(dice, depth - 1) for _ in range(dice.randrange(3)))}]"
    keys = dice.sample(KEYS, dice.randrange(1, 8))
    return "{" + ", ".join(f"{key}: {tree(dice, depth - 1)}" for key in keys) + "}"


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_known_keys_with_any_values(dice: random.Random) -> None:
    rule_texts = ", ".join(record(dice, rules.RULE) for _ in range(3))
    text = f"version: 1\ndefaults: {record(dice, schema.DEFAULTS)}\nmodels:\n"
    text += f"  - {record(dice, schema.MODEL)[:-1]}, rules: [{rule_texts}]}}\n  - {tree(dice, 4)}\n"
    attempt(text.encode())


def record(dice: random.Random, shape: Section) -> str:
    """One record with most of its own keys, and a random tree under each."""
    keys = [key for key in shape.fields if key != "rules" and dice.random() < 0.5] or ["name"]
    return "{" + ", ".join(f"{key}: {tree(dice, 2)}" for key in keys) + "}"
