"""Releases: the registry in W&B, and the commands that deploy."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..context import RunContext
from ..errors import UserError, did_you_mean
from ..model.monitored_model import Model, ReleaseSpec
from ..model.release import PRODUCTION, Registry
from .setup_check import SetupCheck, report_error, report_ok, report_problem, report_warning

COMMANDS = ("deploy", "train", "degrade", "check")
INTERPRETERS = frozenset({"bash", "sh", "zsh", "python", "python3", "node", "ruby", "perl", "Rscript"})
SHELL_SYNTAX = frozenset("|&;<>()$`{}*?\n")
SHELL_WORDS = frozenset(
    {"!", ".", "[[", "case", "cd", "eval", "exec", "export", "for", "if", "set", "source", "until", "while"}
)
"""What bash understands without a program of that name: such a command is not checked."""
SUBJECT = "release"


def check_registry(model: Model, spec: ReleaseSpec, context: RunContext) -> SetupCheck:
    """The versions of the artifact, and which one serves."""
    try:
        registry = context.read_registry(model, producers=False)
    except UserError as error:
        return report_error(SUBJECT, error, model=model.name)
    return judge_registry(model, spec, registry)


def judge_registry(model: Model, spec: ReleaseSpec, registry: Registry) -> SetupCheck:
    if not registry.versions:
        hint = "Log the model as a W&B artifact of that name, or correct `release: {artifact}`."
        return report_problem(SUBJECT, f"{spec.artifact} has no version.", hint, model=model.name)
    version = registry.holder(PRODUCTION)
    if version is None:
        hint = "Say which one serves: `modelwatch release promote VERSION`."
        text = f"no version of {spec.artifact} has the alias `{PRODUCTION}`."
        return report_warning(SUBJECT, text, hint, model=model.name)
    text = f"{spec.artifact}: {len(registry.versions)} versions, {version.title} serves"
    return report_ok(SUBJECT, text, model=model.name)


def check_commands(model: Model, spec: ReleaseSpec, root: Path, search_path: str) -> Iterator[SetupCheck]:
    """The file that each command starts with, without shell syntax. ``search_path``: PATH."""
    for name in COMMANDS:
        line = getattr(spec, name)
        if line:
            problem = _command_problem(line, root, search_path)
            if problem:
                yield report_problem("command", f"`{name}: {line}`: {problem[0]}", problem[1], model=model.name)
            else:
                yield report_ok("command", f"`{name}: {line}` can be started", model=model.name)


def _command_problem(line: str, root: Path, search_path: str) -> tuple[str, str] | None:
    """What keeps the command from starting, and what to do."""
    words = _plain_words(line)
    if not words or words[0] in SHELL_WORDS:
        return None
    program = words[0]
    if "/" not in program:
        if shutil.which(program, path=search_path) is None:
            return f"there is no program {program} here.", "Install it, or correct the command."
        script = words[1] if program in INTERPRETERS and len(words) > 1 else ""
        return None if not script or script.startswith("-") else _file_problem(script, root, runs=False)
    return _file_problem(program, root, runs=True)


def _plain_words(line: str) -> list[str]:
    """The words before any shell syntax; variables that are set before the command are left out."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    plain: list[str] = []
    for word in words:
        if SHELL_SYNTAX & set(word):
            break
        if plain or "=" not in word:
            plain.append(word)
    return plain


def _file_problem(name: str, root: Path, *, runs: bool) -> tuple[str, str] | None:
    path = root / name
    if not path.is_file():
        near = [str(other.relative_to(root)) for other in path.parent.glob("*") if other.is_file()]
        return f"there is no file {path}.", did_you_mean(
            name.removeprefix("./"), near, "Write it, or correct the path."
        )
    if runs and not os.access(path, os.X_OK):
        return (
            f"{path} is not executable.",
            f"`git update-index --chmod=+x {shlex.quote(name)} && chmod +x {shlex.quote(name)}`",
        )
    return None
