"""What modelwatch says: every piece of text in its sources. A decision table may quote nothing else."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from ..model.register import DispatchState

CONCLUSIONS = ("success", "failure", "cancelled", "timed_out")
"""How workflow runs end, in GitHub's words."""
_DISPATCH_VERBS = ("retrain", "rollback", "promote", "degrade", "restore")
_EXCLUDED_PARTS = frozenset({"standins", "demo", "runbooks"})


def is_known_phrase(text: str) -> bool:
    """Whether a command, an issue or an incident may show ``text``; ``…`` stands for anything."""
    return text in _dispatch_states() or all(_is_in_sources(part.strip()) for part in text.split("…") if part.strip())


def _is_in_sources(part: str) -> bool:
    return any(part in piece for piece in _source_texts())


@cache
def _source_texts() -> tuple[str, ...]:
    """Every piece of text in the package but its docstrings, the parts of f-strings one by one."""
    root = Path(__file__).parents[1]
    paths = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in _EXCLUDED_PARTS]
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in silent)
    return tuple({text for text in texts if isinstance(text, str)})


@cache
def _dispatch_states() -> frozenset[str]:
    """How far a dispatch came, as ``status`` and the issue say it."""
    states = [*(state.value for state in DispatchState), *CONCLUSIONS]
    return frozenset(
        [f"{verb}: {state}" for verb in _DISPATCH_VERBS for state in states]
        + [f"{verb}.1" for verb in _DISPATCH_VERBS]
        + [f"{verb} finished: {conclusion}" for verb in _DISPATCH_VERBS for conclusion in CONCLUSIONS]
        + [f"finished: {conclusion}" for conclusion in CONCLUSIONS]
    )
