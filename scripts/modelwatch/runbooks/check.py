"""What makes a runbook trustworthy at night: sections, a decision table, commands that parse, links, true quotations.

Every check gives its problems as ``page.md:line: what``; none at all is the good end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..errors import Exit
from .lines import split, wrong, wrong_comment
from .page import (
    COLUMNS,
    INDEX,
    NOT_PAGES,
    PLACEHOLDER,
    SECTIONS,
    SPAN,
    Page,
    fill,
    placeholders,
    read,
    table_rows,
)
from .said import says

if TYPE_CHECKING:
    import click

LEAST_ROWS = 3
MOST_LINES = 90
WIDEST = 140
"""Characters of a line outside of tables and commands."""


def check_ours(folder: Path, kinds: Collection[str], cli: click.Group) -> list[str]:
    """Every page of ``folder``, and that there is one for each kind, reached from the index, and none besides."""
    index = read(folder / INDEX)
    examples = placeholders(index)
    pages = {path.stem for path in folder.glob("*.md") if path.name not in NOT_PAGES}
    linked = {target.removesuffix(".md") for _, target in index.links()}
    problems = [f"{kind}.md: the kind has no page" for kind in sorted(set(kinds) - pages)]
    problems += [
        f"{name}.md: there is no such kind, so nobody can reach the page" for name in sorted(pages - set(kinds))
    ]
    problems += [f"{name}.md: {INDEX} does not link it, so nobody finds the page" for name in sorted(pages - linked)]
    for path in sorted(folder.glob("*.md")):
        page = read(path)
        problems += [*links(page), *commands(page, examples, cli), *exit_codes(page)]
        if path.name != INDEX:
            problems += [*sections(page), *decision_table(page), *quotations(page), *size(page)]
    return problems


def check_own(page: Page, examples: Mapping[str, str], cli: click.Group) -> tuple[list[str], list[str]]:
    """A page of a user's own: (what is wrong, what is doubtful). Its sections and its words are the user's affair."""
    problems = [*links(page), *commands(page, examples, cli, ours=False)]
    return problems, [page.told(1, f"the section {name!r} is missing") for name in missing(page)]


def missing(page: Page) -> list[str]:
    names = {name for _, name in page.sections()}
    return [name for name in SECTIONS if name not in names]


def sections(page: Page) -> Iterator[str]:
    """A title, an answer in bold right below it, then the sections, all of them, in order, none empty."""
    found = page.sections()
    names = tuple(name for _, name in found)
    yield from (page.told(1, f"the section {name!r} is missing") for name in missing(page))
    if sorted(names) == sorted(SECTIONS) and names != SECTIONS:
        yield page.told(found[0][0], "the sections are out of order")
    for number, name in found:
        if name not in SECTIONS:
            yield page.told(number, f"no page has a section {name!r}")
        below = page.lines[number : number + 2]
        if not any(line and not line.startswith("#") for line in below):
            yield page.told(number, f"the section {name!r} is empty")
    if not page.lines[0].startswith("# ") or not "".join(page.lines[2:3]).startswith("**"):
        yield page.told(1, "the page does not begin with a title and the answer in bold")


def decision_table(page: Page) -> Iterator[str]:
    rows = table_rows(page)
    if not rows or rows[0][1] != COLUMNS:
        yield page.told(1, f"there is no table of {', '.join(COLUMNS)}")
        return
    if len(rows) - 2 < LEAST_ROWS:
        yield page.told(rows[0][0], f"the decision table has {len(rows) - 2} rows, fewer than {LEAST_ROWS}")
    for number, cells in rows:
        if len(cells) != len(COLUMNS) or not all(cells):
            yield page.told(number, f"a row of the decision table needs {len(COLUMNS)} cells, all filled")


def size(page: Page) -> Iterator[str]:
    if len(page.lines) > MOST_LINES:
        yield page.told(MOST_LINES, f"{len(page.lines)} lines are more than {MOST_LINES}: too long for the night")
    wide = [number for number, line in page.prose() if len(line) > WIDEST and not line.startswith("|")]
    yield from (page.told(number, f"the line is longer than {WIDEST} characters") for number in wide)


def links(page: Page) -> Iterator[str]:
    """Relative links lead to a file, and to a heading in it where they name one; of others the form is looked at."""
    for number, target in page.links():
        what = _dead(page, target)
        if what:
            yield page.told(number, what)


def _dead(page: Page, target: str) -> str:
    try:
        parts = urlsplit(target)
    except ValueError:
        return f"the link is no address: {target}"
    if parts.scheme:
        whole = parts.scheme == "mailto" or (parts.scheme in ("http", "https") and parts.netloc)
        return "" if whole else f"the link is no address: {target}"
    file = page.path.parent / unquote(parts.path) if parts.path else page.path
    if not file.exists():
        return f"the link leads nowhere: {target}"
    if parts.fragment and file.suffix == ".md" and parts.fragment not in read(file).anchors():
        return f"{file.name} has no heading #{parts.fragment}"
    return ""


def exit_codes(page: Page) -> Iterator[str]:
    for number, line in page.prose():
        for code in re.findall(r"[Ee]xit code (\d+)", line):
            if int(code) not in {int(known) for known in Exit}:
                yield page.told(number, f"no command ends with exit code {code}")


def quotations(page: Page) -> Iterator[str]:
    """What the first column of the decision table shows as code must be something that modelwatch really says."""
    for number, cells in table_rows(page)[2:]:
        yield from (page.told(number, f"modelwatch never says `{it}`") for it in SPAN.findall(cells[0]) if not says(it))


def commands(page: Page, examples: Mapping[str, str], cli: click.Group, *, ours: bool = True) -> Iterator[str]:
    """Every command line parses, with the examples in the place of the placeholders; so does every comment."""
    for number, line in page.prose():
        found = (wrong_comment(span) for span in SPAN.findall(line) if span.startswith("/modelwatch "))
        yield from (page.told(number, what) for what in found if what)
    for number, line in page.commands():
        if ours:
            unknown = sorted(set(PLACEHOLDER.findall(line)) - set(examples)) if not line.startswith("export ") else []
            yield from (page.told(number, f"{INDEX} does not explain {name}") for name in unknown)
        try:
            simple = split(fill(line.removeprefix("$ "), dict(examples)))
        except ValueError as error:
            if ours or "modelwatch" in line:
                yield page.told(number, f"`{line}` is no command: {error}")
            continue
        bad = (what for argv in simple if (what := wrong(argv, cli, ours=ours)))
        yield from (page.told(number, f"`{line}`: {what}") for what in bad)
