"""What makes a runbook trustworthy at night: sections, a decision table, commands that parse, links, true quotations.

Every check gives its problems as ``page.md:line: what``; none at all is the good end.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import modelwatch
from modelwatch.errors import Exit
from modelwatch.model.register import ReceiptState

from .runbooks_commands import split, wrong

SECTIONS = (
    "What it means",
    "Who is hurt",
    "First five minutes",
    "What you see → likely cause → what to do",
    "Mitigations, safest first",
    "Who may decide",
    "How to confirm recovery",
    "Afterwards",
)
TABLE = SECTIONS[3]
COLUMNS = ["What you see", "Likely cause", "What to do"]
LEAST_ROWS = 3
MOST_LINES = 90
WIDEST = 140
"""Characters of a line outside of tables and commands."""
NOT_PAGES = frozenset({"README.md", "template.md"})
CONCLUSIONS = ("success", "failure", "cancelled", "timed_out")

_PLACEHOLDER = re.compile(r"(?<![A-Z_])[A-Z]{3,}(?![A-Z_])")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"^\s*```(\w*)\s*$")


@dataclass(frozen=True)
class Page:
    """A page's lines, and which of them stand in a fenced block."""

    path: Path
    lines: tuple[str, ...]
    fenced: tuple[bool, ...]

    def prose(self) -> Iterator[tuple[int, str]]:
        """(line number, line) outside of fenced blocks."""
        found = zip(self.lines, self.fenced, strict=True)
        return ((number, line) for number, (line, inside) in enumerate(found, 1) if not inside)

    def commands(self) -> Iterator[tuple[int, str]]:
        """(line number, command): the lines of fenced blocks, and code spans that begin with a program of ours."""
        for number, (line, inside) in enumerate(zip(self.lines, self.fenced, strict=True), 1):
            if inside and line.strip() and not _FENCE.match(line):
                yield number, line.strip()
            elif not inside:
                yield from ((number, span) for span in _SPAN.findall(line) if span.startswith(("modelwatch ", "gh ")))

    def told(self, number: int, what: str) -> str:
        return f"{self.path.name}:{number}: {what}"


def read(path: Path) -> Page:
    lines = path.read_text("utf-8").splitlines()
    fenced, inside = [], False
    for line in lines:
        fence = bool(_FENCE.match(line))
        fenced.append(inside or fence)
        inside = inside != fence
    return Page(path, tuple(lines), tuple(fenced))


def check_folder(folder: Path, kinds: Collection[str]) -> list[str]:
    """Every page of ``folder``, and that there is one for each kind, reached from README.md, and none besides."""
    index = read(folder / "README.md")
    examples = placeholders(index)
    pages = {path.stem for path in folder.glob("*.md") if path.name not in NOT_PAGES}
    linked = {target.removesuffix(".md") for _, line in index.prose() for target in _LINK.findall(line)}
    problems = [f"{kind}.md: the kind has no page" for kind in sorted(set(kinds) - pages)]
    problems += [f"{name}.md: there is no such kind" for name in sorted(pages - set(kinds))]
    problems += [f"{name}.md: README.md does not link it" for name in sorted(pages - linked)]
    for path in sorted(folder.glob("*.md")):
        page = read(path)
        problems += [*links(page), *commands(page, examples), *exit_codes(page)]
        if path.name != "README.md":
            problems += [*sections(page), *decision_table(page), *quotations(page), *size(page)]
    return problems


def placeholders(index: Page) -> dict[str, str]:
    """Placeholder -> example, from the table of README.md."""
    rows = (_cells(line) for _, line in index.prose() if line.startswith("|"))
    return {cells[0]: cells[2] for cells in rows if len(cells) == 3 and _PLACEHOLDER.fullmatch(cells[0])}


def sections(page: Page) -> Iterator[str]:
    """A title, an answer in bold right below it, then the sections, all of them, in order, none empty."""
    found = [(number, line[3:]) for number, line in page.prose() if line.startswith("## ")]
    names = tuple(name for _, name in found)
    for name in SECTIONS:
        if name not in names:
            yield page.told(1, f"the section {name!r} is missing")
    if sorted(names) == sorted(SECTIONS) and names != SECTIONS:
        yield page.told(found[0][0], "the sections are out of order")
    for number, name in found:
        if name not in SECTIONS:
            yield page.told(number, f"no page has a section {name!r}")
        below = page.lines[number : number + 2]
        if not any(line and not line.startswith("#") for line in below):
            yield page.told(number, f"the section {name!r} is empty")
    if not page.lines[0].startswith("# ") or not page.lines[2].startswith("**"):
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


def table_rows(page: Page) -> list[tuple[int, list[str]]]:
    """(line number, cells) of the decision table, its head and the line below it included."""
    inside, rows = False, []
    for number, line in page.prose():
        if line.startswith("## "):
            inside = line[3:] == TABLE
        elif inside and line.startswith("|"):
            rows.append((number, _cells(line)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def size(page: Page) -> Iterator[str]:
    if len(page.lines) > MOST_LINES:
        yield page.told(MOST_LINES, f"{len(page.lines)} lines are more than {MOST_LINES}: too long for the night")
    wide = [number for number, line in page.prose() if len(line) > WIDEST and not line.startswith("|")]
    yield from (page.told(number, f"the line is longer than {WIDEST} characters") for number in wide)


def links(page: Page) -> Iterator[str]:
    """Relative links lead to a file, and to a heading in it where they name one."""
    for number, line in page.prose():
        for target in _LINK.findall(line):
            if target.startswith(("https://", "http://")):
                continue
            name, _, heading = target.partition("#")
            path = page.path.parent / name if name else page.path
            if not path.is_file():
                yield page.told(number, f"the link leads nowhere: {target}")
            elif heading and heading not in {_slug(line) for _, line in read(path).prose() if line.startswith("#")}:
                yield page.told(number, f"{path.name} has no heading #{heading}")


def _slug(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")


def exit_codes(page: Page) -> Iterator[str]:
    for number, line in page.prose():
        for code in re.findall(r"[Ee]xit code (\d+)", line):
            if int(code) not in {int(known) for known in Exit}:
                yield page.told(number, f"no command ends with exit code {code}")


def quotations(page: Page) -> Iterator[str]:
    """What the first column of the decision table shows as code must be something that modelwatch really says."""
    pieces = said()
    for number, cells in table_rows(page)[2:]:
        for span in _SPAN.findall(cells[0]):
            lacking = [part for part in map(str.strip, span.split("…")) if not any(part in piece for piece in pieces)]
            if lacking and span not in _states():
                yield page.told(number, f"modelwatch never says `{lacking[0]}`")


@cache
def said() -> tuple[str, ...]:
    """Every piece of text in the package, the parts of f-strings one by one."""
    root = Path(modelwatch.__file__).parent
    paths = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in ("standins", "demo")]
    trees = (ast.parse(path.read_text("utf-8")) for path in paths)
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return tuple({node.value for node in nodes if isinstance(node.value, str)})


@cache
def _states() -> frozenset[str]:
    """How far a dispatch came, as ``status`` and the issue say it."""
    states = [*(state.value for state in ReceiptState), *CONCLUSIONS]
    verbs = ("retrain", "rollback", "promote", "degrade")
    return frozenset(
        [f"{verb}: {state}" for verb in verbs for state in states] + [f"finished: {c}" for c in CONCLUSIONS]
    )


def commands(page: Page, examples: Mapping[str, str]) -> Iterator[str]:
    """Every command line parses, with the examples in the place of the placeholders."""
    for number, line in page.commands():
        unknown = sorted(set(_PLACEHOLDER.findall(line)) - set(examples)) if not line.startswith("export ") else []
        yield from (page.told(number, f"README.md does not explain {name}") for name in unknown)
        filled = _PLACEHOLDER.sub(lambda found: examples.get(found[0], found[0]), line)
        yield from (page.told(number, f"`{line}`: {what}") for argv in split(filled) if (what := wrong(argv)))
