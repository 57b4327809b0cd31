"""Names that ``init`` or an example wrote, and nobody replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model.monitored_model import Model
from .setup_check import SetupCheck, report_problem, report_warning

_PLACEHOLDER = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:my|your)[-_](?:model|team|project|org|organisation|organization|repo|repository|service"
    r"|name|login|entity|user)|example|todo|fixme|changeme|change[-_]me|placeholder)(?![A-Za-z0-9])|<[^<>]*>",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"@?(?:acme|octocat|ada)(?:$|/)", re.IGNORECASE)
"""The names in our documents, which can be somebody's own."""
HINT = "Write your own name there."
EXAMPLE_HINT = "It is the name in our examples: write your own."


def is_placeholder(text: str) -> bool:
    return bool(_PLACEHOLDER.search(text))


def is_example(text: str) -> bool:
    """Whether our documents use the name; it can be somebody's own, too."""
    return bool(_EXAMPLE.match(text))


def source_is_placeholder(model: Model) -> bool:
    """Whether W&B is not worth a question."""
    return model.wandb is not None and any(map(is_placeholder, (model.wandb.entity, model.wandb.project)))


def check_placeholders(model: Model) -> Iterator[SetupCheck]:
    """One line a name. Nothing works with those of a service, which is not asked about them."""
    for key, text, is_fatal in _names(model):
        if is_placeholder(text):
            report = report_problem if is_fatal else report_warning
            yield report("name", f"`{key}: {text}` is a placeholder.", HINT, model=model.name)
    organisation = model.github.repository.partition("/")[0]
    if is_example(model.owner) and model.owner.lstrip("@").partition("/")[0] != organisation:
        yield report_warning("name", f"`owner: {model.owner}` is the name in our examples.", HINT, model=model.name)


def _names(model: Model) -> Iterator[tuple[str, str, bool]]:
    """Key, value, and whether nothing works without the right one; each value once."""
    if model.wandb is not None:
        yield "entity", model.wandb.entity, True
        yield "project", model.wandb.project, True
    if model.release is not None:
        yield "artifact", model.release.artifact, True
    yield "repository", model.github.repository, True
    yield "name", model.name, False
    yield "owner", model.owner, False
    yield "service", model.pagerduty.service, False
    for key, values in (
        ("people", model.github.people),
        ("labels", model.github.labels),
        ("assignees", model.github.assignees),
        ("links", tuple(target for _, target in model.links)),
    ):
        yield from ((key, value, False) for value in dict.fromkeys(values))
