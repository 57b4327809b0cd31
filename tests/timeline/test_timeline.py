"""Every story comes out as it tells; the stories that await something disagree until it is built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .collection import STORIES
from .services import Services, start_services
from .stories import Story
from .timeline import Timeline


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with start_services() as found:
        yield found


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.play.__name__)
def test_story(services: Services, story: Story) -> None:
    time = Timeline(services)
    story.play(time)
    time.end()
    for name in ("wandb", "github", "pagerduty"):
        assert services[name].errors == []
    found = [f"hour {one.hour:g}: {one.kind}: {one.text}" for one in time.disagreements]
    if story.awaits:
        assert found, f"this comes out well now: remove `awaits` ({story.awaits})"
    else:
        assert found == []
