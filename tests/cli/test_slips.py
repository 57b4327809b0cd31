"""A slip in any word of the command line or the configuration gets the likely word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError

from .world import World

EVERY_KEY = Path(__file__).parents[1] / "config/good/every-key.yml"
KEY = re.compile(r"(?<![\w\"$./{-])(?P<key>[a-z][a-z_]{3,})(?=: |:$)", re.MULTILINE)
OWN_NAMES = ["honest", "loss", "next", "per_check", "plan", "retrain", "state", "took", "took_ms"]
"""What looks like a key in that file, and is a name that its owner gave: a class, a workflow, a version, ..."""
AMBIGUOUS = ["scores"]
"""Its slip is nearer to another key."""


def commands(
    parent: click.Group = group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, with the words that call it."""
    context = click.Context(parent)
    for name in parent.list_commands(context):
        command = parent.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


def slip(word: str) -> str:
    """``word`` with its last two letters swapped."""
    swapped = word[:-2] + word[-1] + word[-2]
    return swapped if swapped != word else f"{word}x"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command(world: World, path: tuple[str, ...]) -> None:
    ran = world.run(*path[:-1], slip(path[-1]), now=False)
    assert ran.code == 2
    assert f"There is no command {slip(path[-1])!r}. Did you mean `{path[-1]}`?" in ran.err


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_an_option(world: World, path: tuple[str, ...]) -> None:
    names = [name for param in LEAVES[path].params for name in param.opts if name.startswith("--")]
    for name in names:
        wrong = slip(name)
        if wrong in names:
            continue
        ran = world.run(*path, wrong, now=False)
        assert ran.code == 2
        assert f"There is no option {wrong!r}. Did you mean `{name}`?" in ran.err


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_a_word_of_a_few(path: tuple[str, ...]) -> None:
    for param in LEAVES[path].params:
        if not isinstance(param.type, click.Choice):
            continue
        for word in param.type.choices:
            with pytest.raises(click.BadParameter, match=re.escape(f"Did you mean `{word}`?")):
                param.type.convert(slip(str(word)), param, None)


@pytest.mark.parametrize(
    ("command", "likely"),
    [
        (("check", "--model", "chrun"), "churn"),
        (("runbooks", "render", "accuracy-dorp"), "accuracy-drop"),
        (("runbooks", "render", "--alert", "churn/acuracy"), "accuracy"),
        (("runbooks", "render", "--alert", "chrun/accuracy"), "churn"),
        (("runbooks", "render", "accuracy-drop", "--model", "chrun"), "churn"),
        (("diagnose", "chrun"), "churn"),
        (("explain", "--model", "chrun"), "churn"),
        (("baseline", "capture", "--model", "chrun", "--out", "b.json"), "churn"),
        (("sensitivity", "--model", "chrun"), "churn"),
        (("release", "status", "--model", "chrun"), "churn"),
    ],
)
def test_the_name_of_a_model_a_rule_or_a_kind(world: World, command: tuple[str, ...], likely: str) -> None:
    world.metrics(0.9, 0.9)
    ran = world.run(*command)
    assert ran.code == 2, ran.out + ran.err
    assert f"Did you mean `{likely}`?" in ran.err


def problems(folder: Path, text: str) -> str:
    (folder / "modelwatch.yml").write_text(text)
    try:
        load_config(folder / "modelwatch.yml", {}, require_secrets=False, require_baselines=False)
    except ConfigError as error:
        return str(error)
    return ""


def test_a_key_of_the_configuration(tmp_path: Path) -> None:
    text = EVERY_KEY.read_text()
    assert problems(tmp_path, text) == ""
    found: set[str] = set()
    unknown: set[str] = set()
    for match in KEY.finditer(text):
        key = match["key"]
        told = problems(tmp_path, text[: match.start()] + slip(key) + text[match.end() :])
        (found if f"Did you mean `{key}`?" in told else unknown).add(key)
    assert len(found) > 100
    assert sorted(unknown - found) == sorted([*OWN_NAMES, *AMBIGUOUS])
