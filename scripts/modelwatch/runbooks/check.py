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
from .lines import command_problem, comment_problem, split_commands
from .page import (
    CODE_SPAN,
    INDEX_FILE,
    NON_PAGE_FILES,
    PLACEHOLDER,
    SECTIONS,
    TABLE_COLUMNS,
    RunbookPage,
    decision_rows,
    fill_placeholders,
    read_page,
    read_placeholders,
)
from .said import is_known_phrase

if TYPE_CHECKING:
    import click

MIN_TABLE_ROWS = 3
MAX_LINES = 90
MAX_LINE_LENGTH = 140
"""Characters of a line outside of tables and commands."""


def check_builtin_pages(folder: Path, kinds: Collection[str], cli: click.Group) -> list[str]:
    """Every page of ``folder``, and that there is one for each kind, reached from the index, and none besides."""
    index = read_page(folder / INDEX_FILE)
    examples = read_placeholders(index)
    pages = {path.stem for path in folder.glob("*.md") if path.name not in NON_PAGE_FILES}
    linked = {target.removesuffix(".md") for _, target in index.links()}
    problems = [f"{kind}.md: the kind has no page" for kind in sorted(set(kinds) - pages)]
    problems += [
        f"{name}.md: there is no such kind, so nobody can reach the page" for name in sorted(pages - set(kinds))
    ]
    problems += [
        f"{name}.md: {INDEX_FILE} does not link it, so nobody finds the page" for name in sorted(pages - linked)
    ]
    for path in sorted(folder.glob("*.md")):
        page = read_page(path)
        problems += [*check_links(page), *check_commands(page, examples, cli), *check_exit_codes(page)]
        if path.name != INDEX_FILE:
            problems += [*check_sections(page), *check_decision_table(page), *check_quotations(page), *check_size(page)]
    return problems


def check_user_page(page: RunbookPage, examples: Mapping[str, str], cli: click.Group) -> tuple[list[str], list[str]]:
    """A page of a user's own: (what is wrong, what is doubtful). Its sections and its words are the user's affair."""
    problems = [*check_links(page), *check_commands(page, examples, cli, builtin=False)]
    return problems, [page.problem(1, f"the section {name!r} is missing") for name in missing_sections(page)]


def missing_sections(page: RunbookPage) -> list[str]:
    names = {name for _, name in page.sections()}
    return [name for name in SECTIONS if name not in names]


def check_sections(page: RunbookPage) -> Iterator[str]:
    """A title, an answer in bold right below it, then the sections, all of them, in order, none empty."""
    found = page.sections()
    names = tuple(name for _, name in found)
    yield from (page.problem(1, f"the section {name!r} is missing") for name in missing_sections(page))
    if sorted(names) == sorted(SECTIONS) and names != SECTIONS:
        yield page.problem(found[0][0], "the sections are out of order")
    for number, name in found:
        if name not in SECTIONS:
            yield page.problem(number, f"no page has a section {name!r}")
        below = page.lines[number : number + 2]
        if not any(line and not line.startswith("#") for line in below):
            yield page.problem(number, f"the section {name!r} is empty")
    if not page.lines[0].startswith("# ") or not "".join(page.lines[2:3]).startswith("**"):
        yield page.problem(1, "the page does not begin with a title and the answer in bold")


def check_decision_table(page: RunbookPage) -> Iterator[str]:
    rows = decision_rows(page)
    if not rows or rows[0][1] != TABLE_COLUMNS:
        yield page.problem(1, f"there is no table of {', '.join(TABLE_COLUMNS)}")
        return
    if len(rows) - 2 < MIN_TABLE_ROWS:
        yield page.problem(rows[0][0], f"the decision table has {len(rows) - 2} rows, fewer than {MIN_TABLE_ROWS}")
    for number, cells in rows:
        if len(cells) != len(TABLE_COLUMNS) or not all(cells):
            yield page.problem(number, f"a row of the decision table needs {len(TABLE_COLUMNS)} cells, all filled")


def check_size(page: RunbookPage) -> Iterator[str]:
    if len(page.lines) > MAX_LINES:
        yield page.problem(MAX_LINES, f"{len(page.lines)} lines are more than {MAX_LINES}: too long for the night")
    wide = [number for number, line in page.prose() if len(line) > MAX_LINE_LENGTH and not line.startswith("|")]
    yield from (page.problem(number, f"the line is longer than {MAX_LINE_LENGTH} characters") for number in wide)


def check_links(page: RunbookPage) -> Iterator[str]:
    """Relative links lead to a file, and to a heading in it where they name one; of others the form is looked at."""
    for number, target in page.links():
        what = _link_problem(page, target)
        if what:
            yield page.problem(number, what)


def _link_problem(page: RunbookPage, target: str) -> str:
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
    if parts.fragment and file.suffix == ".md" and parts.fragment not in read_page(file).anchors():
        return f"{file.name} has no heading #{parts.fragment}"
    return ""


def check_exit_codes(page: RunbookPage) -> Iterator[str]:
    for number, line in page.prose():
        for code in re.findall(r"[Ee]xit code (\d+)", line):
            if int(code) not in {int(known) for known in Exit}:
                yield page.problem(number, f"no command ends with exit code {code}")


def check_quotations(page: RunbookPage) -> Iterator[str]:
    """What the first column of the decision table shows as code must be something that modelwatch really says."""
    for number, cells in decision_rows(page)[2:]:
        yield from (
            page.problem(number, f"modelwatch never says `{it}`")
            for it in CODE_SPAN.findall(cells[0])
            if not is_known_phrase(it)
        )


def check_commands(
    page: RunbookPage, examples: Mapping[str, str], cli: click.Group, *, builtin: bool = True
) -> Iterator[str]:
    """Every command line parses, with the examples in the place of the placeholders; so does every comment."""
    for number, line in page.prose():
        found = (comment_problem(span) for span in CODE_SPAN.findall(line) if span.startswith("/modelwatch "))
        yield from (page.problem(number, what) for what in found if what)
    for number, line in page.commands():
        if builtin:
            unknown = sorted(set(PLACEHOLDER.findall(line)) - set(examples)) if not line.startswith("export ") else []
            yield from (page.problem(number, f"{INDEX_FILE} does not explain {name}") for name in unknown)
        try:
            simple = split_commands(fill_placeholders(line.removeprefix("$ "), dict(examples)))
        except ValueError as error:
            if builtin or "modelwatch" in line:
                yield page.problem(number, f"`{line}` is no command: {error}")
            continue
        bad = (what for argv in simple if (what := command_problem(argv, cli, builtin=builtin)))
        yield from (page.problem(number, f"`{line}`: {what}") for what in bad)
