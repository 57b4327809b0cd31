"""Command lines of the runbooks, parsed by the command line interface itself, and by what the pages use of GitHub's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..config.starter import render_starter_files
from ..planning.commands import COMMAND_LIST, WORKFLOW_VERBS
from ..targets.issue_commands import parse_commands
from .page import CODE_SPAN

if TYPE_CHECKING:
    import click

OTHER_PROGRAMS = frozenset({"export", "jq"})
"""Beside modelwatch and gh; what they are told is not looked into."""
MONITOR = "modelwatch.yml"

_SILENCE_ARGUMENT = re.compile(r"\d{1,6}[mhdw] \S.*")


@dataclass(frozen=True)
class GhSignature:
    """What a command of GitHub's CLI takes, as far as the pages use it."""

    arguments: int = 0
    value_options: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


GH_COMMANDS = {
    ("issue", "close"): GhSignature(1, frozenset({"--reason"})),
    ("issue", "comment"): GhSignature(1, frozenset({"--body"})),
    ("issue", "list"): GhSignature(0, frozenset({"--label", "--state"})),
    ("issue", "view"): GhSignature(1, flags=frozenset({"--comments"})),
    ("run", "cancel"): GhSignature(1),
    ("run", "list"): GhSignature(0, frozenset({"--workflow", "--limit", "--status"})),
    ("run", "rerun"): GhSignature(1, flags=frozenset({"--failed"})),
    ("run", "view"): GhSignature(1, flags=frozenset({"--log", "--log-failed"})),
    ("secret", "list"): GhSignature(),
    ("secret", "set"): GhSignature(1),
    ("workflow", "disable"): GhSignature(1),
    ("workflow", "enable"): GhSignature(1),
    ("workflow", "list"): GhSignature(),
    ("workflow", "run"): GhSignature(1, frozenset({"-f", "--repo", "--ref"})),
}


def split_commands(line: str) -> list[list[str]]:
    """The simple commands of a shell line. Raises ValueError where a quotation is not closed."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    found: list[list[str]] = [[]]
    for token in lexer:
        if token in ("|", "&&", ";"):
            found.append([])
        else:
            found[-1].append(token)
    return found


def command_problem(argv: Sequence[str], cli: click.Group, *, builtin: bool = True) -> str:
    """What is wrong with a command; empty where nothing is.

    On pages of a user's own other programs are none of our business, nor what GitHub's CLI is told but a comment.
    """
    if not argv:
        return "an empty command" if builtin else ""
    if argv[0] == "modelwatch":
        return _modelwatch_problem(list(argv[1:]), cli)
    if argv[0] == "gh":
        name = tuple(argv[1:3])
        return _gh_problem(name, list(argv[3:])) if builtin or name == ("issue", "comment") else ""
    return "" if argv[0] in OTHER_PROGRAMS or not builtin else f"the pages do not use {argv[0]}"


def _modelwatch_problem(arguments: list[str], cli: click.Group) -> str:
    """By the command line interface itself, which parses everything and runs nothing."""
    import click

    command: click.Command = cli
    context = click.Context(cli, info_name="modelwatch")
    name = ""
    try:
        while isinstance(command, click.Group):
            name = arguments.pop(0) if arguments else ""
            found = command.get_command(context, name)
            if found is None:
                return f"there is no command {name!r}"
            command = found
            if isinstance(command, click.Group):
                context = click.Context(command, info_name=name, parent=context)
        command.make_context(name, arguments, parent=context)
    except click.ClickException as error:
        return error.format_message()
    return ""


def _gh_problem(name: tuple[str, ...], rest: list[str]) -> str:
    takes = GH_COMMANDS.get((name[0], name[1])) if len(name) == 2 else None
    if takes is None:
        return f"the pages do not use gh {' '.join(name)}"
    plain: list[str] = []
    values: list[tuple[str, str]] = []
    words = iter(rest)
    for word in words:
        if word in takes.value_options:
            values.append((word, next(words, "")))
        elif word.startswith("-") and word not in takes.flags:
            return f"gh {' '.join(name)} has no option {word}"
        elif word not in takes.flags:
            plain.append(word)
    if len(plain) != takes.arguments:
        return f"gh {' '.join(name)} takes {takes.arguments} arguments, not {len(plain)}"
    given = dict(value.partition("=")[::2] for option, value in values if option == "-f")
    if name == ("workflow", "run"):
        return _inputs_problem(plain[0], given)
    return next((what for option, value in values if option == "--body" and (what := comment_problem(value))), "")


def _inputs_problem(file: str, given: Mapping[str, str]) -> str:
    inputs = starter_workflow_inputs().get(file)
    if inputs is None:
        return f"`modelwatch init` writes no {file}"
    if unknown := sorted(given.keys() - inputs.keys()):
        return f"{file} has no input {unknown[0]}"
    missing = sorted(name for name, facts in inputs.items() if facts.get("required") and name not in given)
    return f"{file} needs the input {missing[0]}" if missing else ""


@cache
def starter_workflow_inputs() -> dict[str, dict[str, Any]]:
    """File name -> inputs, of the workflows that ``modelwatch init`` writes."""
    import yaml

    files = render_starter_files(model="m", entity="e", project="p", repository="o/r", owner="@o")
    trees = {path: yaml.safe_load(text) for path, text in files.items() if path.startswith(".github/workflows/")}
    # YAML 1.1 reads the key `on` as true.
    return {path.rpartition("/")[2]: tree[True]["workflow_dispatch"]["inputs"] for path, tree in trees.items()}


def comment_problem(body: str) -> str:
    """A comment that is a command must be one that modelwatch obeys."""
    if not body.startswith("/modelwatch"):
        return ""
    found = parse_commands([{"id": 1, "body": body, "user": {"login": "me"}}], (), lambda _: "")
    known = {span.split()[0] for span in CODE_SPAN.findall(COMMAND_LIST)} | set(WORKFLOW_VERBS)
    if not found or found[0].verb not in known:
        return f"no command of an issue: {body!r}"
    verb, argument = found[0].verb, found[0].argument
    if verb == "silence" and not _SILENCE_ARGUMENT.fullmatch(argument):
        return f"a silence needs a length and a reason: {body!r}"
    return f"a promotion needs a version: {body!r}" if verb == "promote" and not argument else ""
