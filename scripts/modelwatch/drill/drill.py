"""One drill from beginning to end: what an earlier one has left, the chain, and taking everything away again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..clients.retry import RetryPolicy
from ..errors import Exit, TargetError, UserError
from ..model.drill import Cleanup, DrillReport, GameDayTimes, Link
from ..model.rule import Rule, Tier
from .chain import Chain
from .cleanup import clean_up, find_leftovers, forget_runs
from .drilled_rule import choose_rule, find_companions, is_wanted_verb, make_timeline
from .interrupts import FURTHER, Interrupts
from .links import BrokenLinkError, LinkRecord
from .rows import RowLogger
from .scenarios import SCENARIOS, Degradation, Scenario, Service
from .site import DrillSite


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The report, and of a rollback what took how long."""

    report: DrillReport
    times: GameDayTimes


class DrillInterruptedError(UserError):
    """Ctrl-C, after which nothing is left, or is kept on purpose."""

    exit_code = Exit.INTERRUPTED


def run_drill(
    site: DrillSite,
    scenario: Scenario,
    service: str,
    stamp: str,
    tier: str = "",
    *,
    keep: bool = False,
    tell: Callable[[str], None],
) -> DrillResult:
    """Drill ``scenario`` at ``site``, and clean up whatever happens. Raises UserError where it cannot begin.

    ``service``: id of the drill's service at PagerDuty. ``stamp``: a short text that names this drill in W&B. ``tier``:
    the severity to aim at; empty for the best. ``tell`` is called with a sentence where the drill ends early.
    """
    rule, aimed = choose_rule(site.model, scenario, tier)
    companions = find_companions(site.model, rule, scenario)
    at = site.now
    earlier = clean_up(site, service)
    if earlier.left:
        hint = "A drill that begins among leftovers proves nothing: repair this, or remove them by hand."
        raise UserError(f"leftovers of earlier drills cannot be removed: {'; '.join(earlier.left)}.", hint=hint)
    forget_runs(site)
    model, env = site.model, site.env
    retry = RetryPolicy().scale(env)
    logger = RowLogger(model, stamp, env.get("WANDB_API_KEY", ""), retry, model.wandb_url(env))
    record = LinkRecord(scenario, _not_part(site, scenario, rule, aimed, companions), site.borrowed)
    timeline = make_timeline(rule, scenario, at)
    chain = Chain(site, scenario, rule, aimed, companions, timeline, logger, record, at)
    with Interrupts(tell) as interrupts:
        try:
            chain.run()
        except BrokenLinkError:
            pass
        except BaseException as error:
            if not keep:
                tell(f"The drill ends early, and cleans up. {FURTHER}")
                _end_early(_clean_up(site, service, interrupts, tell), tell, error)
            if isinstance(error, KeyboardInterrupt):
                raise DrillInterruptedError("the drill was interrupted.") from error
            raise
        cleanup = Cleanup() if keep else _clean_up(site, service, interrupts, tell)
        if interrupts.received:
            _end_early(cleanup, tell, None)
            raise DrillInterruptedError("the drill was interrupted.")
    links = record.finish()
    report = DrillReport(model.name, scenario.name, rule.name, site.name, at, links, site.notes, earlier, cleanup)
    return DrillResult(report, _game_day_times(site, chain, report))


def _clean_up(site: DrillSite, service: str, interrupts: Interrupts, tell: Callable[[str], None]) -> Cleanup:
    """What was cleaned up; after a further Ctrl-C only what is left."""
    interrupts.begin_cleanup()
    try:
        return clean_up(site, service)
    except KeyboardInterrupt:
        tell("The rest is left; looking what that is.")
    try:
        return Cleanup(left=find_leftovers(site, service))
    except KeyboardInterrupt:
        return Cleanup(left=("whatever has [DRILL] in its title or the tag modelwatch-drill: nobody looked",))


def _end_early(cleanup: Cleanup, tell: Callable[[str], None], error: BaseException | None) -> None:
    """Say what was cleaned up. Raises TargetError where something is left."""
    if cleanup.left:
        hint = "The next drill of this model tries again."
        raise TargetError(f"the drill ended early, and left behind: {'; '.join(cleanup.left)}.", hint=hint) from error
    tell(f"Cleaned up: {'; '.join(cleanup.removed) or 'nothing was there'}. Nothing is left behind.")


def _not_part(
    site: DrillSite, scenario: Scenario, rule: Rule, tier: Tier, companions: Sequence[tuple[Rule, Tier]]
) -> dict[Link, str]:
    """Links that the scenario or the configuration does not have."""
    reasons = dict(scenario.not_part)
    model = site.model
    do, where = tier.do, f"the tier {tier.severity} of `{rule.name}`"
    if scenario.away is Service.WANDB:
        do, where = model.outage.do, "`outage`"
        reasons[Link.RECEIVED] = "the evaluation that the event starts would find W&B there"
    elif scenario.degradation is Degradation.SILENT:
        do, where = model.silent.do, "`silent`"
    if not model.pagerduty.key_name:
        for link in (Link.INCIDENT, Link.NOTIFIED, Link.RECEIVED):
            reasons.setdefault(link, f"{model.name} has no `pagerduty.routing_key`")
    elif "page" not in do:
        for link in (Link.INCIDENT, Link.NOTIFIED, Link.RECEIVED):
            reasons.setdefault(link, f"{where} does not page")
    if not site.has_webhook:
        reasons.setdefault(Link.RECEIVED, "the model has no `pagerduty.webhook`")
    if not model.workflows:
        for link in (Link.DISPATCHED, Link.ENDED):
            reasons[link] = f"{model.name} has no `workflows`"
    elif Link.DISPATCHED in scenario.must_not:
        if scenario.kinds and not companions:
            reasons[Link.DISPATCHED] = f"no rule of {model.name} retrains"
    elif not any(is_wanted_verb(verb, scenario) for verb in do):
        for link in (Link.DISPATCHED, Link.ENDED):
            reasons.setdefault(link, f"{where} {_other_workflows(rule, do, scenario)}")
    return reasons


def _other_workflows(rule: Rule, do: Sequence[str], scenario: Scenario) -> str:
    """What the tier starts instead of what the scenario is about, and which tier starts that."""
    others = [verb for verb in do if verb not in ("issue", "page")]
    text = "starts no workflow"
    if others:
        drills = [one.name for one in SCENARIOS.values() if set(one.verbs) & set(others)]
        by = f", which `{drills[0]}` drills" if drills else ""
        text = f"starts {' and '.join(f'`{verb}`' for verb in others)}{by}"
    found = ((tier, verb) for tier in rule.tiers for verb in tier.do if is_wanted_verb(verb, scenario))
    tier, verb = next(found, (None, ""))
    return f"{text}; `--tier {tier.severity}` drills `{verb}`" if tier and rule.kind in scenario.kinds else text


def _game_day_times(site: DrillSite, chain: Chain, report: DrillReport) -> GameDayTimes:
    moments = chain.moments

    def between(first: str, second: str) -> float | None:
        return moments[second] - moments[first] if {first, second} <= moments.keys() else None

    recovered = report.link(Link.RECOVERED)
    return GameDayTimes(
        report.at,
        site.name,
        detection=report.link(Link.FIRED).took,
        decision=between("fired", "decided"),
        approval=between("decided", "approved"),
        move=between("dispatched", "moved"),
        recovery=recovered.took,
    )
