"""The group itself: help, mistakes in usage, streams, signals."""

from __future__ import annotations

import importlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from modelwatch.cli import COMMANDS, LazyGroup, group
from modelwatch.cli.runner import progress_bar, replace_control_characters
from modelwatch.testing.standins.servers import WANDB_KEY

from .world import ERROR, HEALTHY, World

MODULE = [sys.executable, "-m", "modelwatch"]
CONTEXT = click.Context(group)


def test_help_lists_what_the_commands_say_of_themselves(world: World) -> None:
    found = world.run("--help", now=False)
    assert found.code == 0
    for name, (_, told) in COMMANDS.items():
        command = group.get_command(CONTEXT, name)
        assert isinstance(command, click.Command)
        assert command.name == name
        assert f"  {name} " in found.out
        assert told in " ".join(found.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(world: World, name: str) -> None:
    found = world.run(name, "--help", now=False)
    assert found.code == 0
    assert "Usage:" in found.out
    assert "--help" in found.out


def test_every_command_of_a_module_is_listed() -> None:
    """A command that is in no table could not be run; a nested one belongs to the group of its module."""
    folder = Path(importlib.import_module("modelwatch.cli").__file__ or "").parent
    modules = [importlib.import_module(f"modelwatch.cli.{path.stem}") for path in folder.glob("[!_]*.py")]
    commands = {value for module in modules for value in vars(module).values() if isinstance(value, click.Command)}
    assert {command for command in commands if not reachable(command)} == set()


def reachable(command: click.Command) -> bool:
    return command in set(commands_below(group))


def commands_below(parent: click.Group) -> Iterator[click.Command]:
    for name in parent.list_commands(CONTEXT):
        command = parent.get_command(CONTEXT, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands_below(command)


def test_version(world: World) -> None:
    from modelwatch import __version__

    assert world.run("--version", now=False).out == f"modelwatch, version {__version__}\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["chekc"], "Did you mean `check`?"),
        (["frobnicate"], "See modelwatch --help."),
        (["check", "--formt", "json"], "--format"),
        (["run", "--dryrun"], "--dry-run"),
        (["apply", "--digest", "0", "--only", "pages"], "Did you mean `page`?"),
        (["config", "chekc"], "check"),
        (["check", "--now", "soon"], "is no time"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(world: World, given: list[str], told: str) -> None:
    found = world.run(*given, now=False)
    assert found.code == 2
    assert told in found.err
    assert "Traceback" not in found.err


def test_the_group_loads_only_the_command_that_is_asked_for() -> None:
    code = "import sys, modelwatch.cli as c; c.group.get_command(None, 'shards'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "modelwatch.cli.shards" in loaded
    assert "modelwatch.cli.run" not in loaded
    assert not {"wandb", "pandas", "scipy", "github", "pdpyras", "rich", "msgspec", "numpy"} & set(loaded)
    assert issubclass(LazyGroup, click.Group)


LOADED = """
import sys
from modelwatch.cli import main
try:
    main()
except SystemExit as end:
    print("code", end.code, "loaded", *sys.modules)
"""


@pytest.mark.parametrize(
    ("arguments", "key", "is_first"),
    [
        (["check"], "k" * 40, True),
        (["run", "--dry-run"], "k" * 40, True),
        (["check"], "", False),
        (["check", "--help"], "k" * 40, False),
        (["config", "check"], "k" * 40, False),
    ],
)
def test_a_command_that_reads_wandb_starts_its_client_before_all_else(
    tmp_path: Path, arguments: list[str], key: str, is_first: bool
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, env=env | {"WANDB_API_KEY": key}, cwd=tmp_path, capture_output=True, text=True)
    _, code, _, *loaded = done.stdout.splitlines()[-1].split()
    assert code == ("0" if "--help" in arguments else "2"), "there is no configuration"
    assert ("wandb" in loaded) == is_first
    if is_first:
        assert loaded.index("wandb") < loaded.index("modelwatch.pipeline")
        assert "modelwatch.yml" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_ends_it_quietly(world: World) -> None:
    """As in ``modelwatch schema plan | head -1``, with secrets to mask and without."""
    for extra in ({}, {"SOME_TOKEN": "x" * 40}):
        process = subprocess.Popen(
            [*MODULE, "schema", "plan"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **extra}
        )
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")


def test_interrupted_is_told_in_one_line(world: World) -> None:
    env = {**os.environ, "WANDB_API_KEY": WANDB_KEY}  # of a first one: printed, it would be masked
    process = subprocess.Popen(
        [*MODULE, "standins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("# serving")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("export WANDB_BASE_URL=http://127.0.0.1:")
    assert "WANDB_API_KEY" not in out
    assert err.splitlines() == ["# stopped"]


def test_interrupting_an_evaluation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("modelwatch.pipeline.pull", interrupted)
    found = world.run("check")
    assert found.code == 130
    assert found.err.strip().startswith("Interrupted; nothing is lost")


def on_a_terminal(arguments: list[str], **variables: str) -> str:
    """What the command shows on a terminal of 100 columns."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", **variables}
    process = subprocess.Popen([*MODULE, *arguments], stdout=follower, stderr=follower, stdin=follower, env=env)
    os.close(follower)
    shown = b""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        ready, _, _ = select.select([leader], [], [], 0.2)
        try:
            part = os.read(leader, 65536) if ready else b""
        except OSError:
            break
        shown += part
        if not part and process.poll() is not None:
            break
    process.wait(timeout=60)
    os.close(leader)
    return shown.decode()


def test_colour_is_for_terminals_only(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    world.delenv("NO_COLOR")
    check = ["check", "--now", str(world.clock.now)]
    assert "\x1b[" in on_a_terminal(check)
    assert "\x1b[3" not in on_a_terminal(check, NO_COLOR="1")
    assert "\x1b" not in world.process("check").out


def test_a_progress_bar_is_for_long_pulls_on_a_terminal(world: World) -> None:
    with progress_bar(100) as shown:
        assert shown is None, "standard error is no terminal here"
    head, model = world.read("modelwatch.yml").split("models:\n")
    models = "".join(model.replace("name: churn", f"name: m{place}") for place in range(5))
    world.write("modelwatch.yml", f"{head}models:\n{models}")
    world.metrics(HEALTHY)
    world.at(1)
    check = ["check", "--now", str(world.clock.now)]
    assert "Reading" in on_a_terminal(check)
    assert "Reading" not in on_a_terminal([*check, "--model", "m1"])
    assert "Reading" not in world.process("check").err


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_tables_fit_the_terminal(world: World, columns: str) -> None:
    world.setenv("COLUMNS", columns)
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    for command in (["check"], ["run"], ["status"]):
        shown = world.run(*command).out
        assert shown
        lines = [line for line in shown.splitlines() if "://" not in line]  # an address is never broken
        assert max(map(len, lines)) <= int(columns), shown


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]8;;https://evil.example/\x1b\\x",
        "\x1b[3A",
        "\x1bc",
        "\x9b2J",
        "\x08\x08",
        "\x7f",
    ],
)
def test_no_terminal_obeys_what_somebody_wrote(text: str) -> None:
    shown = replace_control_characters(f"a{text}b\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert shown.startswith("a")
    assert shown.endswith("b\n")


@pytest.mark.parametrize(
    "text", ["plain\n", "a\tb\r", "\x1b[1;31mred\x1b[0m", "\x1b[?25l\r\x1b[K50%\x1b[?25h", "é ∷ 漢"]
)
def test_a_terminal_gets_its_colours_and_its_progress_bar(text: str) -> None:
    assert replace_control_characters(text) == text


def test_links_are_text_even_where_colours_are_asked_for(world: World) -> None:
    """No escape sequence but colours: what a terminal does not know prints as garbage."""
    world.delenv("NO_COLOR")
    world.setenv("FORCE_COLOR", "1")
    shown = world.run("runbooks", "render", "accuracy-drop").out
    assert "\x1b[1" in shown
    assert "://" in shown
    assert "\N{REPLACEMENT CHARACTER}" not in shown
    assert "]8;" not in shown


COMPLETIONS = {
    ("modelwatch che", "bash", 1): "plain,check\n",
    ("modelwatch st", "bash", 1): "plain,status\nplain,standins\n",
    ("modelwatch release can", "bash", 2): "plain,canary\n",
    ("modelwatch run --dr", "zsh", 2): "plain\n--dry-run\nStop after the plan.\n",
    ("modelwatch check --format j", "fish", 3): "plain,json\n",
}


@pytest.mark.parametrize(("words", "shell", "place"), COMPLETIONS)
def test_a_shell_completes(world: World, words: str, shell: str, place: int) -> None:
    """As the shells call it; without the extra `testing`, too."""
    cut = "import sys; sys.modules['modelwatch.testing'] = None; from modelwatch.cli import main; main()"
    last = words.rpartition(" ")[2] if shell == "fish" else str(place)
    env = {**os.environ, "_MODELWATCH_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": last}
    done = subprocess.run([sys.executable, "-c", cut], capture_output=True, text=True, env=env, check=False)
    assert (done.stdout, done.stderr) == (COMPLETIONS[words, shell, place], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_of_a_completion_is_printed(world: World, shell: str) -> None:
    env = {**os.environ, "_MODELWATCH_COMPLETE": f"{shell}_source"}
    done = subprocess.run(MODULE, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert "_MODELWATCH_COMPLETE" in done.stdout
    told = subprocess.run([sys.executable, "-m", "modelwatch", "--help"], capture_output=True, text=True, check=True)
    assert f"{shell}_source" in told.stdout
