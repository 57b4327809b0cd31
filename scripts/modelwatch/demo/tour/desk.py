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

from ...report.escape import plain_line as harmless
from ...report.words import utc_time
from ..keep import repository
from ..show import STYLE, wrapped
from .cost import Reckoning, reckon
from .production import GOOD, MINUTE, Production
from .scene import ROLLOUT, YOU
from .shift import LOOK, Entry, Shift, health
from .texts import HELP, dollars
from .wish import What, Wish, read

if TYPE_CHECKING:
    from rich.console import Console

Invoke = Callable[[Sequence[str], float], int]
"""Called with the words after ``modelwatch`` and the simulated time; gives the exit code."""
STAMP = 7
WIDEST = 100
"""Letters in a line of prose."""
MOST = 500
"""Lines that one night reads."""
INTERRUPTED = 130
_LEFT_OUT = re.compile(r"<!--.*?-->\n?|```mermaid.*?```\n?|<details>.*?</details>|<sub>.*?</sub>", re.DOTALL)
"""What GitHub does not show of a Markdown text, shows as a picture, or folds away."""


class Lines:
    """Where lines come from: the keyboard, a pipe, or a file. What nobody sees being typed is echoed."""

    def __init__(self, script: TextIO | None = None) -> None:
        self._stream = script or sys.stdin
        self.keyboard = script is None and sys.stdin.isatty() and sys.stdout.isatty()
        if self.keyboard:
            with suppress(ImportError):  # not on every system
                import readline  # noqa: F401 - gives `input` editing and a memory

    def ask(self, prompt: str) -> str | None:
        """The next line; ``None`` where there is no more."""
        if self.keyboard:
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
class Desk:
    """Everything that a line may need."""

    invoke: Invoke
    console: Console
    lines: Lines
    shift: Shift = field(init=False)
    """Once the night has begun."""
    ended: str = ""
    """Why the night is over."""

    def work(self) -> None:
        """Until the shift is over, the person leaves, or there are no more lines. Ctrl-C is leaving."""
        try:
            for _ in range(MOST):
                typed = self.lines.ask(f"\n{_clock(self.shift.now)} on call> ")
                if typed is None:
                    self.ended = "You left." if self.lines.keyboard else "There are no more lines."
                elif not self._serve(read(typed), typed):
                    self.ended = "You left."
                elif self.shift.over:
                    self.ended = "Your shift is over." if self.shift.now >= self.shift.ends else "Everything is closed."
                if self.ended:
                    break
            else:
                self.ended = f"{MOST} lines are enough for one night."
            self.shift.settle()
        except KeyboardInterrupt:
            self.ended = "You left in a hurry."

    def print(self, text: str, style: str = "") -> None:
        """Lines as they are; on a terminal they break at words."""
        from rich.text import Text

        self.console.print(Text(text, style=style), soft_wrap=not self.console.is_terminal)

    def paragraph(self, text: str, style: str = "", indent: str = "") -> None:
        """Prose, in lines that are pleasant to read. ``indent``: before all but the first."""
        width = min(self.console.width, WIDEST)
        self.print(fill(text, width, subsequent_indent=indent, break_on_hyphens=False), style)

    def say(self, entry: Entry) -> None:
        """Something happened."""
        from rich.text import Text

        body = wrapped(entry.text, self.console.width, STAMP) if self.console.is_terminal else entry.text
        stamp = (f"{_clock(entry.at)}  ", "dim")
        self.console.print(Text.assemble(stamp, (body, STYLE.get(entry.style, ""))), soft_wrap=True)

    def page(self) -> None:
        """The incident, as PagerDuty has it."""
        incident = self.shift.incident
        self.print(f"PagerDuty incident {incident.number}, {incident.status}, {incident.severity}", "bold red")
        self.print(harmless(incident.title))
        details = incident.event.get("payload", {}).get("custom_details", {})
        for name, value in details.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            self.paragraph(f"  {harmless(str(name))}: {harmless(shown, 300)}", indent="    ")

    def _serve(self, wish: Wish, typed: str) -> bool:
        """Do what is wished; whether the person stays."""
        match wish.what:
            case What.NOTHING:
                return True
            case What.QUIT:
                return False
            case What.HELP:
                self.print(HELP)
                return True
            case What.USAGE:
                self._call(wish.words)
                return True
            case What.PUZZLE:
                self.print(f"{wish.text} Nothing was done.", "yellow")
                return True
            case What.WAIT:
                self._note(f"wait {wish.minutes}m")
                self.shift.advance(wish.minutes * MINUTE)
            case _:
                self._note(harmless(typed, 80))
                self._act(wish)
                self.shift.advance(LOOK)
        self._meter()
        return True

    def _note(self, text: str) -> None:
        self.shift.entries.append(Entry(self.shift.now, text, "you"))

    def _act(self, wish: Wish) -> None:
        match wish.what:
            case What.ACK:
                self.print(self.shift.acknowledge())
            case What.PAGE:
                self.page()
            case What.ISSUE:
                self._issue()
            case What.RUNBOOK:
                self._call(("runbooks", "render", "--alert", str(self.shift.issue.number)))
            case What.COMMENT:
                self._answered(lambda: self.shift.comment(wish.text))
            case What.DISPATCH:
                self._dispatch(wish)
            case _:
                self._call(wish.words)

    def _answered(self, act: Callable[[], None]) -> None:
        """Do what starts an evaluation, and show what is said on the issue because of it."""
        known = frozenset(comment.id for comment in self._all_comments())
        act()
        self._comments(known)

    def _dispatch(self, wish: Wish) -> None:
        if wish.text == "modelwatch":  # the workflow that evaluates
            self._answered(self.shift.evaluate)
        else:
            self.print(self.shift.dispatch(wish.text, wish.words))

    def _call(self, words: Sequence[str]) -> None:
        code = self.invoke(words, self.shift.now)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            self.print(f"(exit code {code})", "dim")

    def _issue(self) -> None:
        issue = self.shift.issue
        self.print(f"{harmless(issue.title)} #{issue.number} ({issue.state})", "bold")
        self._markdown(issue.body or "")
        self._comments(frozenset())

    def _comments(self, known: frozenset[int]) -> None:
        """What modelwatch says on the issue, apart from the ids that are ``known``."""
        for comment in self._all_comments():
            if comment.id not in known and comment.login != YOU:
                self.print(f"{harmless(comment.login)}, {_clock(comment.created)}:", "bold")
                self._markdown(comment.body)

    def _all_comments(self) -> list[Any]:
        return list(repository(self.shift.story).comments.items.values())

    def _markdown(self, text: str) -> None:
        from ...report.console import show_markdown

        show_markdown(self.console, _LEFT_OUT.sub("", text).strip())

    def _meter(self) -> None:
        """How production is, and what the night costs by now."""
        shift = self.shift
        lost = lost_by(shift.production, shift.paged, shift.now)
        self.say(Entry(shift.now, f"{health(shift)}; {dollars(lost)} lost since the page", "dim"))

    def reckoning(self) -> Reckoning:
        shift = self.shift
        return reckon(shift.production, shift.released, shift.paged, shift.ends, ROLLOUT)


def lost_by(production: Production, paged: float, now: float) -> float:
    """Dollars that were lost between two times, beside the good version."""
    from .cost import DOLLARS

    good = Production.beginning(production.since[0], GOOD)
    return (production.wrong(paged, now) - good.wrong(paged, now)) * DOLLARS


def open_script(path: Path) -> TextIO:
    """Lines of a file; what is no UTF-8 is read as something that nobody understands."""
    return path.open(encoding="utf-8", errors="replace")


def _clock(time: float) -> str:
    return utc_time(time)[11:16]
