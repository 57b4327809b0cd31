"""A runbook page: its lines, sections, decision table, links and commands; and the folder of the built-in pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGES_DIR = Path(__file__).parent / "pages"
"""Links to ``runbooks/`` of the repository; in an installed package the pages themselves."""
INDEX_FILE, TEMPLATE_FILE = "README.md", "template.md"
NON_PAGE_FILES = frozenset({INDEX_FILE, TEMPLATE_FILE})
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
TABLE_SECTION = SECTIONS[3]
TABLE_COLUMNS = ["What you see", "Likely cause", "What to do"]

PLACEHOLDER = re.compile(r"(?<![A-Za-z_])[A-Z]{3,}(?![A-Za-z_])")
CODE_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^\s*```(\w*)\s*$")
_PROGRAMS = ("modelwatch ", "gh ")


@dataclass(frozen=True)
class RunbookPage:
    """A page's lines, and which of them are in a fenced block."""

    path: Path
    lines: tuple[str, ...]
    fenced: tuple[bool, ...]

    def prose(self) -> Iterator[tuple[int, str]]:
        """(line number, line) outside of fenced blocks."""
        lines = zip(self.lines, self.fenced, strict=True)
        return ((number, line) for number, (line, inside) in enumerate(lines, 1) if not inside)

    def commands(self) -> Iterator[tuple[int, str]]:
        """(line number, command): the lines of fenced blocks, and code spans that begin with modelwatch or gh."""
        for number, (line, inside) in enumerate(zip(self.lines, self.fenced, strict=True), 1):
            if inside and line.strip() and not _FENCE.match(line):
                yield number, line.strip()
            elif not inside:
                yield from ((number, span) for span in CODE_SPAN.findall(line) if span.startswith(_PROGRAMS))

    def sections(self) -> list[tuple[int, str]]:
        """(line number, heading) of the second level, in order."""
        return [(number, line[3:]) for number, line in self.prose() if line.startswith("## ")]

    def links(self) -> Iterator[tuple[int, str]]:
        """(line number, target) of every link outside code."""
        for number, line in self.prose():
            yield from ((number, target) for target in _LINK.findall(CODE_SPAN.sub("", line)))

    def anchors(self) -> set[str]:
        """The headings as GitHub makes anchors of them."""
        return {heading_anchor(line.lstrip("# ")) for _, line in self.prose() if line.startswith("#")}

    def problem(self, number: int, text: str) -> str:
        return f"{self.path.name}:{number}: {text}"


def read_page(path: Path) -> RunbookPage:
    return parse_page(path, path.read_text("utf-8"))


def parse_page(path: Path, text: str) -> RunbookPage:
    lines = text.splitlines() or [""]
    fenced, inside = [], False
    for line in lines:
        fence = bool(_FENCE.match(line))
        fenced.append(inside or fence)
        inside = inside != fence
    return RunbookPage(path, tuple(lines), tuple(fenced))


def heading_anchor(heading: str) -> str:
    """As GitHub makes it: lower case, no punctuation, a dash for each space."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def decision_rows(page: RunbookPage) -> list[tuple[int, list[str]]]:
    """(line number, cells) of the decision table, its head and the line below it included."""
    inside, rows = False, []
    for number, line in page.prose():
        if line.startswith("## "):
            inside = line[3:] == TABLE_SECTION
        elif inside and line.startswith("|"):
            rows.append((number, split_cells(line)))
    return rows


def split_cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read_placeholders(index: RunbookPage) -> dict[str, str]:
    """Placeholder -> example, from the table of the index."""
    rows = (split_cells(line) for _, line in index.prose() if line.startswith("|"))
    return {cells[0]: cells[2] for cells in rows if len(cells) == 3 and PLACEHOLDER.fullmatch(cells[0])}


def fill_placeholders(text: str, values: dict[str, str]) -> str:
    """``text`` with every placeholder replaced that has a value."""
    return PLACEHOLDER.sub(lambda match: values.get(match[0]) or match[0], text)
