"""Commands that people write on an issue: every new one is answered once, by the target that knows its verb."""

from __future__ import annotations

from ..model.plan import Command
from ..model.register import is_answered, remember_command
from .draft import GroupPlan
from .order import TARGETS

REFUSED_PREFIX = "refused: "
MAX_SHOWN = 60
COMMAND_LIST = (
    "`approve`, `reject`, `ack`, `silence 24h <reason>`, `unsilence`, `false-positive`, "
    "`retrain`, `rollback [version]`, `promote <version>`, `degrade` and `restore`"
)


def answer_commands(draft: GroupPlan) -> None:
    """Answer every new command on the group's issue, in the order of the comments."""
    if draft.issue is None or draft.register is None:
        return
    for command in sorted(draft.issue.commands, key=lambda command: command.comment):
        if is_answered(draft.register.commands, command.comment):
            continue
        answer = _refusal(command) or _apply_command(draft, command)
        if answer.startswith(REFUSED_PREFIX):  # any other answer already names both
            answer = f"{command.author or 'somebody'}, {_quote_command(command)}: {answer}"
        draft.add_note("command", command.comment, answer)
        draft.update_register(commands=remember_command(draft.register.commands, command.comment))


def _refusal(command: Command) -> str:
    if command.allowed:
        return ""
    if command.refused:
        return f"refused: {command.refused}"
    return f"refused: {command.author} is not in `github.people`, the people whose commands count here"


def _apply_command(draft: GroupPlan, command: Command) -> str:
    for target in TARGETS:
        if answer := target.answer(draft, command):
            return answer
    return f"refused: unknown command `{command.verb}`. Commands: {COMMAND_LIST}"


def _quote_command(command: Command) -> str:
    """The beginning of the command, so that each of several answers shows which command it belongs to."""
    text = " ".join(f"{command.verb} {command.argument}".split())
    return f"`{text}`" if len(text) <= MAX_SHOWN else f"`{text[:MAX_SHOWN]}…`"
