"""The desk of the person on call: reads a line, does what it says, lets the clock run, until the night is over."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, TextIO

from ....errors import Exit
from ....report.console import show_markdown, wrap_text
from ....report.formatting import utc_time
from ....report.markdown import plain_line as harmless
from ....timeutil import MINUTE
from ..export import model_repository
from ..narration import STYLES
from .command_parser import Command, CommandKind, parse_line
from .cost_report import CostComparison, compare_costs, lost_dollars
from .messages import HELP, format_dollars
from .setup import ON_CALL_LOGIN, ROLLOUT_SECONDS
from .simulation import COMMAND_SECONDS, OnCallShift, TimelineEntry, describe_health

if TYPE_CHECKING:
    from rich.console import Console

CommandRunner = Callable[[Sequence[str], float], int]
"""Called with the words after ``modelwatch`` and the simulated time; gives the exit code."""
TIME_WIDTH = 7
MAX_WIDTH = 100
"""Letters in a line of prose."""
MAX_LINES = 500
"""Lines that one night reads."""
_HIDDEN_MARKDOWN = re.compile(r"<!--.*?-->\n?|```mermaid.*?```\n?|<details>.*?</details>|<sub>.*?</sub>", re.DOTALL)
"""What GitHub does not show of a Markdown text, shows as a picture, or folds away."""


class LineReader:
    """Where lines come from: the keyboard, a pipe, or a file. What nobody sees being typed is echoed."""

    def __init__(self, script: TextIO | None = None) -> None:
        self._stream = script or sys.stdin
        self.is_interactive = script is None and sys.stdin.isatty() and sys.stdout.isatty()
        if self.is_interactive:
            with suppress(ImportError):  # not on every system
                import readline  # noqa: F401 - gives `input` editing and a memory

    def read_line(self, prompt: str) -> str | None:
        """The next line; ``None`` where there is no more."""
        if self.is_interactive:
            try:
                return input(prompt)
            except EOFError:
                print()  # noqa: T201 - the line of the prompt has to end
                return None
        typed = self._stream.readline()
        if not typed:
            return None
        print(f"{prompt}{harmless(typed)}", flush=True)  # noqa: T201
        return typed.rstrip("\r\n")


@dataclass(slots=True)
class Repl:
    """Everything that a line may need."""

    run_command: CommandRunner
    console: Console
    lines: LineReader
    shift: OnCallShift = field(init=False)
    """Once the night has begun."""
    end_reason: str = ""
    """Why the night is over."""

    def run(self) -> None:
        """Until the shift is over, the person leaves, or there are no more lines. Ctrl-C is leaving."""
        try:
            for _ in range(MAX_LINES):
                typed = self.lines.read_line(f"\n{_format_clock(self.shift.now)} on call> ")
                if typed is None:
                    self.end_reason = "You left." if self.lines.is_interactive else "There are no more lines."
                elif not self._execute(parse_line(typed), typed):
                    self.end_reason = "You left."
                elif self.shift.is_over:
                    self.end_reason = (
                        "Your shift is over." if self.shift.now >= self.shift.end_time else "Everything is closed."
                    )
                if self.end_reason:
                    break
            else:
                self.end_reason = f"{MAX_LINES} lines are enough for one night."
            self.shift.finish_rollouts()
        except KeyboardInterrupt:
            self.end_reason = "You left in a hurry."

    def print_text(self, text: str, style: str = "") -> None:
        """Lines as they are; on a terminal they break at words."""
        from rich.text import Text

        self.console.print(Text(text, style=style), soft_wrap=not self.console.is_terminal)

    def print_paragraph(self, text: str, style: str = "", indent: str = "") -> None:
        """Prose, in lines that are pleasant to read. ``indent``: before all but the first."""
        width = min(self.console.width, MAX_WIDTH)
        self.print_text(fill(text, width, subsequent_indent=indent, break_on_hyphens=False), style)

    def print_entry(self, entry: TimelineEntry) -> None:
        """Something happened."""
        from rich.text import Text

        body = wrap_text(entry.text, self.console.width, TIME_WIDTH) if self.console.is_terminal else entry.text
        stamp = (f"{_format_clock(entry.at)}  ", "dim")
        self.console.print(Text.assemble(stamp, (body, STYLES.get(entry.style, ""))), soft_wrap=True)

    def print_incident(self) -> None:
        """The incident, as PagerDuty has it."""
        incident = self.shift.incident
        self.print_text(f"PagerDuty incident {incident.number}, {incident.status}, {incident.severity}", "bold red")
        self.print_text(harmless(incident.title))
        details = incident.event.get("payload", {}).get("custom_details", {})
        for name, value in details.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            self.print_paragraph(f"  {harmless(str(name))}: {harmless(shown, 300)}", indent="    ")

    def _execute(self, wish: Command, typed: str) -> bool:
        """Do what is wished; whether the person stays."""
        match wish.kind:
            case CommandKind.NOTHING:
                return True
            case CommandKind.QUIT:
                return False
            case CommandKind.HELP:
                self.print_text(HELP)
                return True
            case CommandKind.USAGE:
                self._run_modelwatch(wish.words)
                return True
            case CommandKind.UNKNOWN:
                self.print_text(f"{wish.text} Nothing was done.", "yellow")
                return True
            case CommandKind.WAIT:
                self._wait(wish.minutes)
            case _:
                self._record_input(harmless(typed, 80))
                self._execute_action(wish)
                self.shift.advance(COMMAND_SECONDS)
        self._print_status()
        return True

    def _wait(self, minutes: int) -> None:
        """Let time pass, until the phone rings."""
        self._record_input(f"wait {minutes}m")
        began = self.shift.now
        self.shift.advance(minutes * MINUTE, until_page=True)
        waited = round((self.shift.now - began) / MINUTE)
        if waited < minutes and not self.shift.is_over:
            self.print_text(f"The page ends your wait, after {waited} of {minutes} minutes.", "yellow")

    def _record_input(self, text: str) -> None:
        self.shift.entries.append(TimelineEntry(self.shift.now, text, "you"))

    def _execute_action(self, wish: Command) -> None:
        match wish.kind:
            case CommandKind.ACK:
                self.print_text(self.shift.acknowledge())
            case CommandKind.PAGE:
                self.print_incident()
                self.print_text("The page stays as it was sent; `diagnose` says what is next now.", "dim")
            case CommandKind.ISSUE:
                self._print_issue()
            case CommandKind.RUNBOOK:
                self._run_modelwatch(("runbooks", "render", "--alert", str(self.shift.issue.number)))
            case CommandKind.COMMENT:
                self._print_replies_to(lambda: self.shift.comment(wish.text))
            case CommandKind.CLOSE:
                self.print_text(self.shift.close_issue(wish.text))
            case CommandKind.REOPEN:
                self.print_text(self.shift.reopen_issue())
            case CommandKind.DISPATCH:
                self._dispatch(wish)
            case _:
                self._run_modelwatch(wish.words)

    def _print_replies_to(self, act: Callable[[], None]) -> None:
        """Do what starts an evaluation, and show what is written on the issue because of it."""
        known = frozenset(comment.id for comment in self._all_comments())
        act()
        self._print_comments(known)

    def _dispatch(self, wish: Command) -> None:
        if wish.text == "modelwatch":  # the workflow that evaluates
            self._print_replies_to(self.shift.evaluate)
        else:
            self.print_text(self.shift.dispatch(wish.text, wish.words))

    def _run_modelwatch(self, words: Sequence[str]) -> None:
        code = self.run_command(words, self.shift.now)
        if code == Exit.INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            self.print_text(f"(exit code {code})", "dim")

    def _print_issue(self) -> None:
        issue = self.shift.issue
        self.print_text(f"{harmless(issue.title)} #{issue.number} ({issue.state})", "bold")
        show_markdown(self.console, _visible_markdown(issue.body or ""))
        self._print_comments(frozenset())

    def _print_comments(self, known: frozenset[int]) -> None:
        """What modelwatch says on the issue, apart from the ids that are ``known``."""
        for comment in self._all_comments():
            text = _visible_markdown(comment.body)
            if text and comment.id not in known and comment.login != ON_CALL_LOGIN:
                self.print_text(f"{harmless(comment.login)}, {_format_clock(comment.created)}:", "bold")
                show_markdown(self.console, text)

    def _all_comments(self) -> list[Any]:
        return list(model_repository(self.shift.story).comments.items.values())

    def _print_status(self) -> None:
        """How production is, and what the night costs by now."""
        shift = self.shift
        lost = lost_dollars(shift.production, shift.page_time, shift.now)
        self.print_entry(
            TimelineEntry(shift.now, f"{describe_health(shift)}; {format_dollars(lost)} lost since the page", "dim")
        )

    def cost_comparison(self) -> CostComparison:
        shift = self.shift
        return compare_costs(shift.production, shift.release_time, shift.page_time, shift.end_time, ROLLOUT_SECONDS)


def _visible_markdown(text: str) -> str:
    """What a person sees of it on GitHub; empty where all of it is folded away, such as a part of the record."""
    return _HIDDEN_MARKDOWN.sub("", text).strip()


def open_script(path: Path) -> TextIO:
    """Lines of a file; what is no UTF-8 is read as something that nobody understands."""
    return path.open(encoding="utf-8", errors="replace")


def _format_clock(time: float) -> str:
    return utc_time(time)[11:16]
