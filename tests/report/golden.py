"""Golden files of the texts that the cases do not show: diagnosis, page, timeline, gate, canary, releases.

``python -m tests.report.golden --update`` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import MappingProxyType

from modelwatch.model.alert import Evidence
from modelwatch.model.drift import DistributionChange, FeatureDrift, ReferenceDrift, ShareChange
from modelwatch.model.explanation import DriftedInput, Explanation, SegmentContribution
from modelwatch.model.gate import GateCheck, GateReport, GateRow, GateVerdict
from modelwatch.model.monitored_model import GateSpec, GitHubSpec
from modelwatch.model.plan import ModelObservation, Note, ObservedIncident, ObservedIssue
from modelwatch.model.register import DispatchState, PageRecord, Register
from modelwatch.model.release import CanaryCheck as CanaryCheck
from modelwatch.model.release import CanaryDecision, CanaryVerdict, Move, MoveState, MoveVerb, Registry, Version
from modelwatch.model.rule import BaselineKind, Limit, LimitKind
from modelwatch.model.series import Deployment, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.release.gate import decide
from modelwatch.report import diagnosis, release, release_verdicts
from modelwatch.report.comments import comment_text as comment
from modelwatch.report.console import open_console
from modelwatch.report.release_verdicts import gate_comment, gate_markdown, show_gate
from modelwatch.targets.incidents.render import incident_details, incident_summary
from modelwatch.targets.register.ledger import register_entries

from .making import HOUR, LATAM, NEWEST, NOW, alert, finding, group, model, record, register

HERE = Path(__file__).parent / "golden"
MODEL = model(github=GitHubSpec(repository="acme/churn-model", people=("ada",)))
ISSUE = "https://github.com/acme/churn-model/issues/17"
HOSTILE = "v9` @acme #1 | ::error::\n<img src=x>"

ESCALATION = f"not recovered 2 h after rollback.1 succeeded. Tried so far: rollback.1 to {HOSTILE} (success)"

_PART = SegmentContribution(LATAM, 0.30, 0.31, 0.92, 0.60, -0.003, -0.097, 1e-9)
_OTHERS = SegmentContribution((), 0.70, 0.69, 0.92, 0.92, 0.0, 0.0)
_WHY = Explanation(
    NEWEST,
    -0.1,
    mix=-0.003,
    rate=-0.097,
    parts=(_PART, _OTHERS),
    parts_seen=2,
    found=_PART,
    searched=12,
    since=NEWEST - 10 * HOUR,
    since_labels=LATAM,
    version="v7",
    version_since=NEWEST - 10 * HOUR,
    features=(DriftedInput("tenure", "inputs", 0.41, Severity.ERROR, 0.63, unit="psi"),),
)
_WORST = finding(value=0.6, baseline=0.92, change=-0.348, low=0.578, high=0.621, n=2000.0, labels=LATAM)
_EVIDENCE = Evidence(
    segments=(_WORST, finding(severity=None, value=0.921, change=0.001, labels=(("region", "eu"),))),
    segments_seen=2,
    version="v7",
    version_since=NEWEST - 10 * HOUR,
    previous=("v6",),
    why=_WHY,
)
DROP = group(alert(_WORST, severity=Severity.CRITICAL), severity=Severity.CRITICAL, evidence=_EVIDENCE)
_TRAINING = (ReferenceDrift(BaselineKind.FILE, "train.npz", 0.0, 0.31, True),)
DRIFT = group(
    alert(finding(rule="inputs", value=0.6, baseline=None, change=None, low=None, high=None, n=None)),
    rule="inputs",
    kind="data-drift",
    limits=(Limit(LimitKind.ABOVE, 0.5),),
    unit="features",
    evidence=Evidence(
        features=5,
        drifted=(
            FeatureDrift("age", "psi", 1.2, _TRAINING, change=DistributionChange((38.2, 52.4), 12.0)),
            FeatureDrift(
                "home",
                "psi",
                0.31,
                _TRAINING,
                change=DistributionChange(shares=(ShareChange("urban", 0.7, 0.55), ShareChange("rural", 0.2, 0.34))),
            ),
        ),
    ),
)
PROPOSED = record(target_version="v6")
OPEN = register(severity=Severity.CRITICAL, peak=Severity.CRITICAL, dispatches=(PROPOSED,), told=NOW - 2 * HOUR)
DONE = replace(
    OPEN,
    page=PageRecord("resolved", Severity.CRITICAL, NEWEST - 9 * HOUR, "https://acme.pagerduty.com/incidents/Q1"),
    dispatches=(
        record(verb="retrain", key=f"{group().key}.1.retrain.1", state=DispatchState.FINISHED, conclusion="failure",
               at=NEWEST - 8 * HOUR, ended=NEWEST - 7 * HOUR, url="https://github.com/acme/churn-model/actions/runs/1",
               settled="escalated"),
        record(target_version="v6", state=DispatchState.FINISHED, conclusion="success", by="ada",
               at=NEWEST - 6 * HOUR, ended=NEWEST - 5 * HOUR, url="https://github.com/acme/churn-model/actions/runs/2"),
    ),
)  # fmt: skip
REGISTRY = Registry(
    "churn",
    "acme/train/churn",
    (
        Version("v7", ("production",), "d7", NOW, number="1.7.0", commit="c" * 40, data="customers-2026-11"),
        Version("v6", ("previous",), "d6", NOW, number="1.6.0", commit="b" * 40, data="customers-2026-10"),
        Version("v5", (), "d5", NOW, number="1.5.0", available=False),
    ),
    (
        Move("p7", MoveVerb.PROMOTE, "churn", "v6", "v7", HOSTILE, "ada", NEWEST - 10 * HOUR, (),
             (("previous", "v6"), ("production", "v7")), MoveState.DONE, NEWEST - 10 * HOUR),
        Move("p6", MoveVerb.PROMOTE, "churn", "v5", "v6", "weekly", "bo", NEWEST - 200 * HOUR, (),
             (("previous", "v5"), ("production", "v6")), MoveState.DONE, NEWEST - 200 * HOUR),
    ),
)  # fmt: skip


def diagnosed(pull: PulledSeries, *groups: object) -> str:
    issue = ObservedIssue(17, ISSUE, group().key, "open", "", None, NEWEST, "modelwatch[bot]", "", OPEN)
    incident = ObservedIncident(group().key, "triggered", "https://acme.pagerduty.com/incidents/Q1", NOW, NOW, False)
    seen = ModelObservation("churn", (issue,), (), (incident,))
    known = diagnosis.DiagnosisInput(MODEL, groups, pull, seen, REGISTRY)  # type: ignore[arg-type]
    return diagnosis.diagnosis_text(diagnosis.diagnose(known, NOW))


def pulled(error: str = "") -> PulledSeries:
    points = Series(
        "eval/accuracy", (), array("d", (NEWEST - HOUR, NEWEST)), array("d", (0.92, 0.6)), array("d", (5000, 5000))
    )
    served = (Deployment("v6", NEWEST - 200 * HOUR), Deployment("v7", NEWEST - 10 * HOUR))
    return PulledSeries("churn", () if error else (points,), served, error=error)


ROWS = (
    GateRow(GateCheck.PRIMARY, "recent", "accuracy", GateVerdict.UNDECIDED,
            "not proven better: the interval includes 0. More rows would not prove it.", "",
            0.942, 0.941, -0.001, -0.012, 0.01, 4000),
    GateRow(GateCheck.SEGMENT, "recent", "accuracy", GateVerdict.INFERIOR,
            "worse by more than the margin of 0.01: the whole interval is beyond it.", "region=latam",
            0.93, 0.9, -0.03, -0.045, -0.015, 900, worth=0.22, worth_of="value"),
    GateRow(GateCheck.LATENCY, "recent", "p95 of latency_ms", GateVerdict.SUPERIOR, "at least 13 % faster.", "",
            120.0, 100.0, -0.167, -0.2, -0.13, 4000),
)  # fmt: skip
GATE = GateReport(
    NOW, "churn", "v6", HOSTILE, "accuracy", "higher", 0.05, 0.01, *decide(ROWS, "recent", GateSpec()), ROWS
)
CANARY = CanaryVerdict(
    CanaryDecision.PROPOSE, "v8", NOW - 26 * HOUR, NOW - HOUR,
    (
        "no worse than the champion in 1 comparison over 25.0 h",
        "a person decides (`release.promote: propose`)",
    ),
    (
        CanaryCheck("accuracy", (), "ok", "", 0.923, 0.921, 0.91, 0.93, 4000.0, 76000.0),
        CanaryCheck("accuracy", LATAM, "undecided", "", 0.9, 0.92, None, None, 80.0, 1500.0,
                    "the count in the window is too small"),
    ),
)  # fmt: skip


def noted(topic: str, detail: str = "", of: Register = OPEN, key: str = "") -> str:
    note = Note(key or f"{group().key}.1.rollback.1", topic, detail)
    return comment(note, DROP, of, NOW, MODEL, tuple(sorted(register_entries(of), key=lambda entry: entry.at)))


def drawn() -> str:
    console = open_console()
    console.file, console.width = StringIO(), 100
    show_gate(console, GATE)
    return "\n".join(row.rstrip() for row in console.file.getvalue().splitlines())


def rows_of(rows: list[tuple[str, ...]]) -> str:
    return "\n".join(" · ".join(cells) for cells in rows)


TEXTS: MappingProxyType[str, Callable[[], str]] = MappingProxyType(
    {
        "diagnosis.txt": lambda: diagnosed(pulled(), DROP, DRIFT),
        "diagnosis-healthy.txt": lambda: diagnosed(pulled()),
        "diagnosis-blind.txt": lambda: diagnosed(pulled("W&B is down (HTTP 503): Service Unavailable")),
        "incident.json": lambda: json.dumps(
            {"summary": incident_summary(DROP, OPEN.start), "custom_details": incident_details(DROP, OPEN, NOW)},
            indent=1, ensure_ascii=False,
        ),
        "incident-drift.json": lambda: json.dumps(
            {"summary": incident_summary(DRIFT, NEWEST), "custom_details": incident_details(DRIFT, None, NOW)},
            indent=1, ensure_ascii=False,
        ),
        "comment-recovered.md": lambda: noted("recovered", of=DONE),
        "comment-workflow.md": lambda: noted("workflow", "rollback finished: success", DONE),
        "comment-escalated.md": lambda: noted("escalated", ESCALATION),
        "comment-proposal.md": lambda: noted("proposal", "mode: propose"),
        "gate.md": lambda: gate_markdown(GATE),
        "gate-comment.md": lambda: gate_comment(GATE),
        "gate.txt": drawn,
        "canary.md": lambda: release_verdicts.canary_markdown(CANARY, "churn"),
        "release-status.txt": lambda: rows_of(release.status_rows(REGISTRY)),
        "release-warnings.txt": lambda: "\n".join(release.registry_warnings(REGISTRY, 3)),
        "release-history.txt": lambda: rows_of(release.history_rows(REGISTRY)),
    }
)  # fmt: skip


def main(arguments: list[str]) -> None:
    HERE.mkdir(exist_ok=True)
    for name, make in TEXTS.items():
        path, text = HERE / name, make().rstrip("\n") + "\n"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if "--update" in arguments:
            path.write_text(text, "utf-8")
        print(f"{'written' if '--update' in arguments else 'differs'}  {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
