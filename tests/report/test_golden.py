"""Every text for people is as it was read and found good; ``python -m tests.report.golden --update`` after a change."""

from __future__ import annotations

import pytest

from .golden import HERE, HOSTILE, TEXTS


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_as_it_was_read(name: str) -> None:
    assert TEXTS[name]().rstrip("\n") + "\n" == (HERE / name).read_text("utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in HERE.iterdir()} == set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_from_outside_comes_alive(name: str) -> None:
    text = TEXTS[name]()
    assert HOSTILE not in text, "a line break from outside must not start a line"
    if name.endswith(".md"):
        bare = "".join(text.replace("``", "\0").split("\0")[::2])
        assert "<img" not in bare
