"""The storm, small: every kind of fault at least once, every webhook effective exactly once."""

from __future__ import annotations

from pathlib import Path

from .storm import TROUBLES, Storm, table


def test_every_webhook_is_effective_exactly_once(tmp_path: Path) -> None:
    result = Storm(tmp_path, 300, seed=7).run()
    assert result.holds, table(result)
    assert set(result.struck) == {name for name, *_ in TROUBLES}
    assert result.dispatches > result.webhooks, "no workflow run had a twin: nothing was proved"
    assert result.starts > 2
    assert result.forged, "no forged webhook was tried"
