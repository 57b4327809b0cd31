"""How the models of a night on call are configured, and what W&B knows of their versions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from modelwatch.model.monitored_model import (
    GitHubSpec,
    Matcher,
    Model,
    PagerDutySpec,
    ReleaseSpec,
    Silence,
    WorkflowSpec,
)
from modelwatch.model.release import PRODUCTION, Registry, Version
from modelwatch.model.rule import Mode
from modelwatch.model.secret import Secret
from modelwatch.timeutil import HOUR

from ..alerts.making import at, rule, tier
from .world import REPO

ACTIONS = ("issue", "page", "retrain", "rollback", "degrade")
QUIET = 4
"""Healthy hours before the night; in the first two of them v1 served, then v2."""
RUNBOOKS = "https://example.org/runbooks"


@dataclass(frozen=True, slots=True)
class Setup:
    """One configuration of the models."""

    people: bool = True
    rollback: Mode | None = Mode.PROPOSE
    retrain: Mode | None = Mode.ACT
    degrade: Mode | None = None
    release: bool = False
    versions: str = "fit"
    """``fit``: v1 can be gone back to; ``unfit``: its files are deleted; ``down``: the registry cannot be read."""
    token: bool = True
    """PagerDuty can be read."""
    key: bool = True
    budget: int = 4
    share: float = 1.0
    """Of the rows, that of the only segment that is bad; 1: everything is bad."""
    kind: str = "accuracy-drop"
    runbook: bool = True
    second: str = ""
    """Another model, which ``depends`` on this one or stands ``apart``; empty: there is none."""
    silent: str = ""
    """The rule that the configuration silences in the first hours of the night."""
    cooldown: float = 24 * HOUR
    dispatches: int = 5
    """At most so many in one evaluation, as ``pages``."""
    pages: int = 10
    commands: bool = True
    """Whether a workflow answers comments at once; else the next evaluation does."""

    @property
    def model(self) -> Model:
        modes = {"rollback": self.rollback, "retrain": self.retrain, "degrade": self.degrade}
        specs = tuple(
            WorkflowSpec(
                verb,
                f"{verb}.yml",
                mode=mode,
                budget=self.budget,
                cooldown=self.cooldown,
                automatic=365 * 24 * HOUR,
            )
            for verb, mode in modes.items()
            if mode is not None
        )
        do = tuple(verb for verb in ACTIONS if verb in ("issue", "page") or modes[verb] is not None)
        mild = tuple(verb for verb in do if verb in ("issue", "retrain"))
        tiers = (
            tier("info", ("issue",)),
            tier("warning", mild),
            tier("error", ("issue", "page")),
            tier("critical", do),
        )
        plain = (tier("warning", ("issue",)), tier("error", ("issue", "page")), tier("critical", ("issue", "page")))
        return Model(
            "churn",
            (
                rule(kind=self.kind, tiers=tiers),
                rule("nulls", kind="data-quality", tiers=plain),
                rule("p95", kind="latency", tiers=plain),
            ),
            github=GitHubSpec(REPO, people=("alice",) if self.people else ()),
            pagerduty=PagerDutySpec(
                Secret("KEY", "R" * 32) if self.key else None, Secret("TOKEN", "T" * 20) if self.token else None
            ),
            workflows=specs,
            release=ReleaseSpec("acme/churn/model") if self.release else None,
            runbook_base=RUNBOOKS if self.runbook else "",
            silences=self.silences,
        )

    @property
    def models(self) -> tuple[Model, ...]:
        """With another one that retrains itself, and has the same people, repository and service."""
        first = self.model
        if not self.second:
            return (first,)
        flows = tuple(flow for flow in first.workflows if flow.name == "retrain")
        do = ("issue", "page", *(flow.name for flow in flows))
        tiers = (tier("warning", ("issue",)), tier("error", ("issue", "page")), tier("critical", do))
        other = replace(first, name="offers", rules=(rule("sales", tiers=tiers),), workflows=flows, release=None)
        return first, replace(other, depends_on=("churn",) if self.second == "depends" else ())

    @property
    def silences(self) -> tuple[Silence, ...]:
        return (Silence(Matcher(rule=self.silent), at(QUIET + 3), "@ann", "maintenance"),) if self.silent else ()

    @property
    def registry(self) -> Registry | None:
        if not self.release or self.versions == "down":
            return None
        old = Version("v1", ("previous",), "d1", at(0), available=self.versions == "fit")
        return Registry("churn", "acme/churn/model", (Version("v2", (PRODUCTION,), "d2", at(1)), old))
