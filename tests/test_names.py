"""Names are nouns or verbs with an object: no module, class or public function is a bare participle or a pronoun."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "scripts" / "modelwatch"


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRONOUNS = word_set(
    """
    all another any both each either everything few it its many mine most neither nothing one ones
    other others ours same several some somebody something such that them there these they this those
    what which who whose
    """
)
IRREGULAR = word_set(
    """
    become begun bent bound bought broken brought built caught chosen come cut dealt done drawn driven
    fallen felt forgotten found frozen given gone got gotten grown had heard held hidden hung kept known
    laid led left lent lost made meant met paid put read risen run said seen sent set shown shut sold
    sought spent spoken stood stuck sworn taken taught thought told thrown torn understood woken won
    worn written
    """
)
"""Participles that do not end in -ed."""
NOT_PARTICIPLES = word_set("bed embed exceed feed need proceed red seed shed speed succeed bleed weed")
"""Words that end in -ed and are no participles."""
VERBS_TOO = word_set("become come cut met put read run set shut")
"""Participles that are the verb as well, and so a good beginning of a function's name: ``read_table``, ``run``."""
NOUNS_TOO = word_set("run set bound left read cut")
"""Participles that are nouns as well: ``Run``, ``tool_set``, ``Bound``."""
PREDICATES = word_set("can has is may needs should was")
"""A function that begins so answers a question: ``is_closed``."""
VERBS = word_set("check collect escalate expect explain find format list mark pull read run serve start wait write")
"""Verbs that a participle or pronoun can follow as their object: ``list_labelled``, ``pull_all``."""
EXCEPTIONS: dict[str, str] = {
    "stats.paired": "paired samples: the term of the field",
}
"""Names that stay, each with its reason."""


def words_of(name: str) -> list[str]:
    """``read_HTMLTable`` -> read, html, table."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [part.lower() for part in parts]


def is_participle(word: str) -> bool:
    return word in IRREGULAR or (word.endswith("ed") and word not in NOT_PARTICIPLES and len(word) > 3)


def is_bare(name: str, kind: str) -> bool:
    """Whether a name is a participle or pronoun alone, or has one as its head (its last word)."""
    words = words_of(name)
    if not words:
        return False
    first, head = words[0], words[-1]
    if kind == "function" and ((first in VERBS and len(words) > 1) or first in PREDICATES):
        return False
    if head in PRONOUNS:
        return True
    if not is_participle(head):
        return False
    return head not in (VERBS_TOO if kind == "function" and len(words) == 1 else NOUNS_TOO)


@cache
def names() -> list[tuple[str, str, str]]:
    """(where, kind, name) of every package, module, class and public function or method."""
    return list(iterate_names())


def iterate_names() -> Iterator[tuple[str, str, str]]:
    for path in sorted(SOURCES.rglob("*.py")):
        module = path.relative_to(SOURCES).with_suffix("").parts
        where = ".".join(module).removesuffix(".__init__")
        if where and module[-1] not in ("__main__", "__init__"):
            yield where, "module", module[-1]
        elif len(module) > 1 and module[-1] == "__init__":
            yield where, "module", module[-2]
        tree = ast.parse(path.read_text("utf-8"))
        yield from names_in(tree.body, where)


def names_in(body: list[ast.stmt], where: str) -> Iterator[tuple[str, str, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"{where}:{node.name}", "class", node.name.lstrip("_")
            yield from names_in(node.body, f"{where}:{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            kind = "property" if decorators & {"property", "cached_property"} else "function"
            yield f"{where}:{node.name}", kind, node.name


def findings() -> list[str]:
    """Properties are left out: ``succeeded`` is what a caller asks of an outcome."""
    return [where for where, kind, name in names() if kind != "property" and is_bare(name, kind)]


def test_no_module_class_or_function_is_a_bare_participle_or_pronoun() -> None:
    assert [where for where in findings() if where not in EXCEPTIONS] == []


def test_every_exception_is_still_needed() -> None:
    assert set(EXCEPTIONS) <= set(findings())
    assert all(EXCEPTIONS.values())


@pytest.mark.parametrize(
    ("name", "kind", "bare"),
    [
        ("told", "module", True),
        ("one", "function", True),
        ("Judged", "class", True),
        ("files_found", "function", True),
        ("run", "function", False),
        ("read_table", "function", False),
        ("is_closed", "function", False),
        ("retry_after", "function", False),
        ("RunRecord", "class", False),
        ("drifted_inputs", "module", False),
        ("feed", "module", False),
    ],
)
def test_the_judge_of_names(name: str, kind: str, bare: bool) -> None:
    assert is_bare(name, kind) is bare
