"""Finds the version that ``modelwatch release rollback`` goes back to: ranked, and accepted by the user's check."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from .. import history, pipeline
from ..errors import SourceError, UserError
from ..model.register import Register
from ..model.release import PRODUCTION, Move, MoveVerb, Registry, Version
from ..model.version_health import VersionHealth
from ..release.alias_plan import desired_aliases
from ..release.hooks import check_version
from ..release.move_request import NOTHING_PROMOTED_HINT
from ..release.registry import read_registry
from ..report.markdown import bullet_list, plain_line
from ..report.rollback_choice import RollbackChoice, choose_rollback_target, excuse_false_positives, known_healthy_names
from .actions_env import write_summary
from .options import retry_policy
from .release import MoveContext, comment_on_issue

MAX_NAMED = 5
MAX_CHECKS = 5
"""So many versions are checked, at most."""


def find_rollback_target(context: MoveContext, version: str, healthy: tuple[str, ...], fallback: bool) -> str:
    """The version to go back to: ``version``, or without one the first of the ranking that the user's check accepts.

    Where ``version`` is refused, ``fallback`` allows the next one of the ranking. Each refusal is reported. Raises
    UserError where no version is left.
    """
    registry = read_registry(context.model, os.environ, retry_policy())
    known = [move for move in registry.moves if context.key and move.key == context.key]
    known += [move for move in registry.open_moves if move.verb is MoveVerb.ROLLBACK and not version]
    if known:  # It goes on; choosing anew would go back once more.
        return known[0].target
    named, champion = registry.version(version) if version else None, registry.holder(PRODUCTION)
    spec = context.model.release
    if version and (named is None or named == champion or not named.available or not (spec and spec.check)):
        return version  # Whether it can be moved to is decided there.
    refusals: list[str] = []
    target = ""
    for name in islice(_candidates(context, registry, named, healthy, fallback), MAX_CHECKS):
        reason = _check(context, registry, name)
        if not reason:
            target = name
            break
        candidate = registry.version(name)
        refusals.append(plain_line(f"{candidate.title if candidate else name} {reason}", 400))
        context.print_message(f"not {refusals[-1]}")
    _report_refusals(context, refusals, registry.version(target) if target else None)
    if target:
        return target
    hint = "Name one, mark one with --healthy, or use `modelwatch release degrade`."
    raise UserError("there is no version to go back to.", hint=hint, where=registry.artifact)


def _candidates(
    context: MoveContext, registry: Registry, named: Version | None, healthy: tuple[str, ...], fallback: bool
) -> Iterator[str]:
    """Names of the versions to try, in order."""
    if named is not None:
        yield named.name
        if not fallback:
            return
    choice = rank_versions(context, registry, healthy)
    for candidate in choice.candidates:
        if candidate.objection:
            context.print_message(f"not {candidate.title}: it {candidate.objection}")
    for candidate in choice.ranked:
        if not candidate.objection and (named is None or candidate.version != named.name):
            yield candidate.version


def rank_versions(context: MoveContext, registry: Registry, healthy: tuple[str, ...] = ()) -> RollbackChoice:
    """The versions to go back to from the one in production; ``healthy`` are taken as such, instead of the history."""
    failing = registry.holder(PRODUCTION)
    if failing is None:
        message = "nothing is in production: there is nothing to go back from."
        raise UserError(message, hint=NOTHING_PROMOTED_HINT, where=registry.artifact)
    marked = tuple(VersionHealth(name, 0.0, judged=1) for name in healthy)
    return choose_rollback_target(registry, failing.name, marked or _read_health(context, registry, failing.name))


def _read_health(context: MoveContext, registry: Registry, failing: str) -> tuple[VersionHealth, ...]:
    """The records of versions in the history; none where it cannot be read."""
    try:
        health = history.version_health(context.run_context, context.model)
    except SourceError as error:
        context.print_message(f"warning: cannot read which versions were healthy: {error}")
        return ()
    if any(record.failures for record in health):
        health = excuse_false_positives(health, _read_registers(context))
    names = ", ".join(known_healthy_names(registry, failing, health))
    context.print_message(f"healthy under today's rules: {names or _none_healthy_text(registry, failing, health)}")
    return health


def _none_healthy_text(registry: Registry, failing: str, health: Sequence[VersionHealth]) -> str:
    """Which versions the history has, where none of them but the one in production can have been healthy."""
    serving = registry.version(failing)
    others = [record.version for record in health if serving is None or not serving.is_called(record.version)]
    if others:
        named = ", ".join(others[:MAX_NAMED]) + (", ..." if len(others) > MAX_NAMED else "")
        return f"none of those that served before ({named})"
    return (
        f"the history has no version but {serving.title if serving else failing}, which serves"
        if health
        else ("no version in the history")
    )


def _read_registers(context: MoveContext) -> list[Register | None]:
    """Those of the model's issues, with the verdicts of people; none where they cannot be read."""
    if not context.model.github.repository:
        return []
    try:
        (observed,) = pipeline.observe(context.run_context.only(context.model)).values()
    except UserError:
        return []
    return [issue.register for issue in observed.issues if issue.trusted]


def _check(context: MoveContext, registry: Registry, name: str) -> str:
    spec, champion = context.model.release, registry.holder(PRODUCTION)
    if spec is None or not spec.check:
        return ""
    move = Move(
        key=context.key,
        verb=MoveVerb.ROLLBACK,
        model=registry.model,
        source=champion.name if champion else "",
        target=name,
        after=desired_aliases(MoveVerb.ROLLBACK, registry, registry.version(name)),
        reason=" ".join(context.reason.split()),
        by=context.by,
        at=context.now,
        issue=context.issue,
    )
    return check_version(spec, move, registry, Path(), context.env, context.print_message)


def _report_refusals(context: MoveContext, refusals: list[str], target: Version | None) -> None:
    """Report on the job summary, and on the issue, which versions the check refused."""
    if not refusals:
        return
    outcome = f"Going back to {target.title} instead." if target else "No version is left to go back to."
    text = f"Before the rollback, `release.check` refused:\n\n{bullet_list(refusals)}\n\n{outcome}"
    write_summary(lambda: f"{text}\n\n")
    if context.issue:
        key = f"check.{context.key or int(context.now)}"
        comment_on_issue(context.run_context, context.model, context.issue, key, text, context.print_message)
