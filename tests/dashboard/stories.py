"""``python -m tests.dashboard.stories FOLDER``: play the demo's stories, and keep each model as its pages show it at
the worst moment: one pickled ``ModelSnapshot`` a file."""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import chdir
from pathlib import Path

from modelwatch.config.loader import load_config
from modelwatch.dashboard.collect import collect_evaluation
from modelwatch.dashboard.snapshot import ModelSnapshot
from modelwatch.pipeline import JudgedPulls
from modelwatch.testing.demo.environment import replace_environment, start_environment
from modelwatch.testing.demo.narration import CHAPTERS, DAYS
from modelwatch.testing.demo.story import Story
from modelwatch.timeutil import DAY

NOW = 1_795_176_000.0
"""2026-11-20 12:00 UTC"""


def main(folder: Path) -> None:
    start = NOW - DAYS * DAY
    with (
        start_environment(folder / "repository", start, [chapter.demo_model for chapter in CHAPTERS]) as world,
        chdir(world.folder),
    ):
        replace_environment(world.variables)
        for chapter in CHAPTERS:
            story = Story(
                world,
                chapter.demo_model,
                lambda: load_config(world.config_path, os.environ, require_baselines=False),
                lambda *_: None,
                chapter.run_seconds,
            )
            chapter.run_story(story, start)
            worst, context = story.worst_result, story.worst_context
            assert worst is not None
            assert context is not None
            evaluation = JudgedPulls(worst.pulls, worst.judgement)
            for source in collect_evaluation(context, evaluation, story.worst_observations):
                (folder / f"{source.model.name}.pickle").write_bytes(pickle.dumps(source.read()))


def read_snapshots(folder: Path) -> dict[str, ModelSnapshot]:
    """By the model's name."""
    return {path.stem: pickle.loads(path.read_bytes()) for path in sorted(folder.glob("*.pickle"))}  # noqa: S301


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
