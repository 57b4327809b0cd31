"""A sample of the chaos; `make chaos` is the whole of it."""

from __future__ import annotations

import pytest

from .story import CALM, Played, Story, play, stages
from .table import render


@pytest.mark.timeout(600)
def test_a_story_of_every_sort_ends_well() -> None:
    with stages() as (world, other):
        stories = [
            play(world, other, 1, every=3, pairs=0),
            play(world, other, 2, every=4, pairs=0, flood=120),
        ]
    wrong = [f"story {story.seed}: {problem}" for story in stories for problem in story.wrong]
    assert not wrong, "\n".join(wrong)
    assert any(one.troubles for story in stories for one in story.played)


def test_the_table_counts_an_evaluation_in_the_row_of_each_trouble() -> None:
    played = [Played(("drip of github", "kill of github"), (0, -9), 1.25), Played((), (4,))]
    lines = render([Story(1, 7, played)]).splitlines()
    assert lines[1].split() == [CALM, "1", "0", "0", "0", "1", "0"]
    assert lines[2].split() == ["drip", "of", "github", "2", "1", "1", "0", "0", "1", "1.2", "s"]
    assert lines[-1] == "and 7 comments of strangers"
