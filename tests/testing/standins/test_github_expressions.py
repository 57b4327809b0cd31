"""The expressions that ``run-name`` may hold."""

from __future__ import annotations

from typing import Any

import pytest

from modelwatch.testing.standins.github.expressions import ExpressionError, evaluate, interpolate

CONTEXTS: dict[str, Any] = {
    "inputs": {"key": "g.1", "n": 2.0, "dry": False, "empty": "", "nothing": None, "list": ["a", "b"]},
    "github": {"event": {"client_payload": {"model": "churn", "deep": {"er": "x"}}}, "actor": "bot"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${{ inputs.key }}", "g.1"),
        ("a ${{inputs.KEY}} b ${{ github.event.client_payload.model }}", "a g.1 b churn"),
        ("${{ github.event.client_payload.deep.er }}", "x"),
        ("${{ inputs['key'] }}${{ inputs.list[1] }}", "g.1b"),
        ("${{ inputs.n }} ${{ inputs.dry }}", "2 false"),
        ("[${{ inputs.nothing }}${{ inputs.unknown }}${{ inputs.unknown.deeper }}]", "[]"),
        ("${{ inputs.empty || 'none' }}", "none"),
        ("${{ inputs.key == 'G.1' && 'same' || 'other' }}", "same"),
        ("${{ inputs.key != 'g.1' && 'other' || 'same' }}", "same"),
        ("${{ !inputs.dry && (inputs.empty || 'it''s') }}", "it's"),
        ("${{ format('{0}-{1}', inputs.key, github.actor) }}", "g.1-bot"),
        ("${{ contains(inputs.key, 'G') && startsWith(github.actor, 'b') }}", "true"),
    ],
)
def test_interpolation(text: str, expected: str) -> None:
    assert interpolate(text, CONTEXTS) == expected


@pytest.mark.parametrize("expression", ["secrets.x", "hashFiles('x')", "inputs.", "'open", "inputs.key inputs.n", "(1"])
def test_what_github_would_not_take(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, CONTEXTS)
