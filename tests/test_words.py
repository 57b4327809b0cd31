"""Phrases that nobody says never come back: in texts that users see, in docstrings and in documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "scripts" / "modelwatch"
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob(".github/*.md")),
    *sorted(ROOT.glob("runbooks/*.md")),
    ROOT / "actions/README.md",
    *sorted(ROOT.glob("actions/*/action.yml")),
    *sorted(ROOT.glob(".github/workflows/*.yml")),
]
BETTER = {
    r"already agrees": "No changes needed.",
    r"asks? for nothing": "has no actions",
    r"(?<!heard )of before": "previous, earlier",
    r"news of": "changed: severity, ...",
    r"mend(s|ed|ing)?": "fix",
    r"(is|are|was|were|be|been|being|and|not) told": "is reported",
    r"told apart": "distinguished, separate",
    r"wholly": "entirely, or nothing",
    r"whoever": "anybody who; or name them",
    r"nothing but": "only",
    r"nobody can (say|tell)": "unknown",
    r"by itself": "automatically",
    r"stands? in(?! for)": "is in",
    r"stands? for itself": "is independent",
    r"(?<!soon )as it is": "unchanged",
    r"in words(?! of)": "as text",
    r"all the same": "anyway",
    r"somebody is paged": "the on-call is paged",
    r"the world": "GitHub and PagerDuty, or what is meant",
    r"(is|was|are|were) said": "is reported",
    r"cannot be asked|can be asked": "unknown command; cannot be read",
    r"known to have been healthy": "healthy version on record",
    r"what (there )?is: none": "none is on record",
    r"asks? of": "requests",
    r"wants? to be": "must be",
    r"what is to be": "what must be",
    r"hears? of": "is notified of",
    r"speaks? (of|up)": "is about; alerts again",
    r"bears?|bore": "has, carries",
    r"telling": "reporting, notifying",
    r"asked for": "requested",
    r"is proved": "is proven",
    r"came to": "was, ended as",
    r"thither|hence|whence|thereby|lest|whither": "the usual word",
}
"""A pattern of whole words, and what to say instead."""
PATTERN = re.compile("|".join(rf"(?P<p{at}>\b(?:{words})\b)" for at, words in enumerate(BETTER)), re.IGNORECASE)


def problems(text: str) -> Iterator[str]:
    for match in PATTERN.finditer(re.sub(r"\s+", " ", text)):
        better = list(BETTER.values())[int(str(match.lastgroup)[1:])]
        yield f"{match[0]!r} in ...{match.string[max(match.start() - 30, 0) : match.end() + 30]}...: say {better!r}"


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is prose: docstrings, and all with a blank in them; f-strings in one piece."""
    inside: set[ast.expr] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            inside.update(node.values)
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield node.lineno, "".join(parts)
        elif node in inside:
            continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_say_it_plainly(path: Path) -> None:
    text = path.read_text("utf-8")
    assert list(problems(text)) == []


def wrong_in(path: Path) -> list[str]:
    return [
        f"{path.relative_to(SOURCES)}:{line}: {problem}" for line, text in strings(path) for problem in problems(text)
    ]


def test_texts_and_docstrings_say_it_plainly() -> None:
    assert [problem for path in sorted(SOURCES.rglob("*.py")) for problem in wrong_in(path)] == []


def test_the_word_list_finds_what_it_is_for() -> None:
    assert len(list(problems("Nothing to change: the world already agrees, and that is told."))) == 3
    assert list(problems("No changes needed.")) == []
