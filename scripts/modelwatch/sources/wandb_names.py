"""Names in ``wandb:`` that a project does not have, such as a tag, with what it has instead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import did_you_mean, list_names
from ..model.monitored_model import WandbSpec
from ..timeutil import format_utc


@dataclass(frozen=True, slots=True)
class MissingName:
    """What the configuration names and the project does not have."""

    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text} {self.hint}".strip()


@dataclass(frozen=True, slots=True)
class RunLabels:
    """What a W&B run can be selected by."""

    tags: frozenset[str]
    job_type: str
    group: str
    heartbeat: float
    """When it was last heard of (seconds, UTC); 0 where unknown."""

    @classmethod
    def of(cls, run: Any, heartbeat: float) -> RunLabels:
        """Those of a run as the client's list gives it."""
        tags = frozenset(str(tag) for tag in getattr(run, "tags", None) or ())
        job_type, group = (str(getattr(run, name, None) or "") for name in ("job_type", "group"))
        return cls(tags, job_type, group, heartbeat)

    def is_selected(self, spec: WandbSpec) -> bool:
        """Whether it matches, as far as its labels say: ``filters`` can ask for more."""
        return (
            set(spec.tags) <= self.tags
            and spec.job_type in ("", self.job_type)
            and spec.group in ("", self.group)
            and not spec.filters
        )


def unmatched_runs(where: str, spec: WandbSpec, runs: Sequence[RunLabels], since: float = 0.0) -> MissingName:
    """Why no W&B run of ``where`` matches that was alive at ``since`` (seconds, UTC; 0: at any time). ``runs``: the
    newest ones of the project, whether they match or not."""
    if not runs:
        start = f"wandb.init(entity={spec.entity!r}, project={spec.project!r})"
        return MissingName(f"{where} has no run yet.", f"Let the job that serves the model log: `{start}`.")
    tags = frozenset(tag for run in runs for tag in run.tags)
    for tag in spec.tags:
        if tag not in tags:
            start = f"Start runs with `wandb.init(tags=[{tag!r}])`, or change `runs: {{tags}}`."
            there = f"Tags: {list_names(tags)}. {start}" if tags else start
            return MissingName(f"no W&B run of {where} has the tag {tag!r}.", did_you_mean(tag, tags, there))
    for key, wanted, known in (
        ("job_type", spec.job_type, {run.job_type for run in runs} - {""}),
        ("group", spec.group, {run.group for run in runs} - {""}),
    ):
        if wanted and wanted not in known:
            there = f"There are {list_names(known)}." if known else f"Change `runs: {{{key}}}`."
            return MissingName(f"no W&B run of {where} has the {key} {wanted!r}.", did_you_mean(wanted, known, there))
    newest = max((run.heartbeat for run in runs if run.is_selected(spec)), default=0.0)
    if 0 < newest < since:
        text = f"no W&B run of {where} that matches was alive in this period: the newest ended at {format_utc(newest)}."
        return MissingName(text, "Does the job that logs still run?")
    text = f"no W&B run of {where} {'that matches was alive in this period' if since else 'matches'}."
    return MissingName(text, "Check `runs: {tags, job_type, group, filters}`.")


def missing_time(spec: WandbSpec, logged: Collection[str]) -> MissingName | None:
    """The key of the time, where runs log other keys and not this one."""
    if not spec.time or not logged or spec.time in logged:
        return None
    text = f"no W&B run logs {spec.time!r} (`wandb: {{time}}`), so no row counts."
    return MissingName(text, did_you_mean(spec.time, logged, f"There are {list_names(logged)}."))


def missing_version(spec: WandbSpec, known: Collection[str]) -> MissingName | None:
    """The key of the version, where neither configs nor histories have it: nothing is compared with an earlier one."""
    if not spec.version or spec.version in known:
        return None
    text = f"no W&B run has {spec.version!r} (`wandb: {{version}}`) in its config or history."
    return MissingName(text, did_you_mean(spec.version, known, f"There are {list_names(known)}." if known else ""))


def missing_project(spec: WandbSpec, projects: Sequence[str]) -> MissingName:
    """``projects``: of the entity, as far as the key may see them."""
    text = f"there is no project {spec.entity}/{spec.project}, or the API key may not see it."
    there = f"{spec.entity} has {list_names(projects)}." if projects else "Check `wandb: {entity, project}`."
    return MissingName(text, did_you_mean(spec.project, projects, there))


def missing_offline_project(spec: WandbSpec, projects: Collection[str]) -> MissingName:
    """``projects``: those of the offline runs."""
    text = f"no W&B run of {spec.offline} is of the project {'/'.join(filter(None, (spec.entity, spec.project)))}."
    return MissingName(text, did_you_mean(spec.project, projects, f"They are of {list_names(projects)}."))


def config_keys(config: Any, prefix: str = "") -> Iterator[str]:
    """The names under which ``wandb: {version}`` finds a value: with dots where it is nested."""
    for name, value in config.items() if isinstance(config, dict) else ():
        if isinstance(value, dict):
            yield from config_keys(value, f"{prefix}{name}.")
        elif not str(name).startswith("_"):
            yield f"{prefix}{name}"
