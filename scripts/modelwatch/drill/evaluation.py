"""One evaluation of the drilled model, by the code that every evaluation runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import pipeline
from ..context import make_context
from ..model.alert import Group, Judgement, group_key
from ..model.finding import Finding, ModelFindings
from ..model.plan import ChangeKind, ChangeResult, Plan, Receipts
from ..model.series import PulledSeries
from ..model.target import Target
from .away import without
from .scenarios import Service
from .site import DrillSite


@dataclass(frozen=True, slots=True)
class DrillEvaluation:
    """What one evaluation saw and did."""

    at: float
    pulls: Mapping[str, PulledSeries]
    findings: ModelFindings
    judgement: Judgement
    plan: Plan
    receipts: Receipts | None

    def group(self, model: str, rule: str) -> Group | None:
        """The group of ``rule``, as judged; of a source that is away, as planned."""
        key = group_key(model, rule)
        return next((group for group in (*self.judgement.groups, *self.plan.groups) if group.key == key), None)

    def newest_finding(self, rule: str) -> Finding | None:
        """The newest finding of the whole, or of the first series."""
        tracks = self.findings.by_rule().get(rule, [])
        return tracks[0].finding(-1) if tracks and tracks[0].grid.count else None

    def refusal(self, key: str, *kinds: ChangeKind | str) -> str:
        """Why a change of ``kinds`` was not made for the group ``key``; empty where nothing says so."""
        for receipt in self.receipts.receipts if self.receipts else ():
            failed = receipt.result in (ChangeResult.FAILED, ChangeResult.REFUSED)
            if receipt.group == key and receipt.kind in kinds and failed:
                return f"{receipt.result}: {receipt.detail}"
        skips = [skip for skip in self.plan.skips if skip.group == key and skip.what in kinds]
        troubles = [text for _, text in self.plan.troubles]
        return skips[0].reason if skips else troubles[0] if troubles else ""


def evaluate(site: DrillSite, number: int, away: Service | None = None) -> DrillEvaluation:
    """Pull, judge, plan and apply at the site's time. ``number`` names the folder of its files."""
    context = make_context(without(site.config, away), site.now, site.env)
    pulls = pipeline.pull(context)
    findings, series = pipeline.find(context, pulls)
    judged = pipeline.JudgedPulls(series, pipeline.combine(context, findings, series))
    result = pipeline.converge(context, judged, frozenset(Target))
    pipeline.write_results(site.folder / f"evaluation-{number}", result, site.now)
    own = findings[site.model.name]
    return DrillEvaluation(site.now, series, own, result.judgement, result.plan, result.receipts)
