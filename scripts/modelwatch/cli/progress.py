"""A progress bar on standard error when a pull is long, a terminal is there and many models are read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..context import Progress

MAX_MODELS_WITHOUT_BAR = 3
"""Up to this many models the bar would only flicker."""


@contextmanager
def progress_bar(models: int) -> Iterator[Progress | None]:
    """Yields what ``pipeline.pull`` calls for every model that is done; ``None`` where no bar is wanted."""
    if models <= MAX_MODELS_WITHOUT_BAR or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=models, label="Reading", file=sys.stderr, item_show_func=_item_text) as shown:

        def advance(model: str, done: int, _total: int) -> None:
            shown.update(done - shown.pos, model)

        yield advance


def _item_text(model: str | None) -> str:
    return model or ""
