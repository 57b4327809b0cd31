"""A PagerDuty account with people in it, a configuration, and the real client between them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelwatch.cli import main
from modelwatch.clients.pagerduty_admin import AdminClient
from modelwatch.clients.retry import RetryPolicy
from modelwatch.config.loader import load_config
from modelwatch.model.setup_plan import SetupPlan
from modelwatch.pagerduty_setup.apply import ApplyResult, apply
from modelwatch.pagerduty_setup.desired_state import DesiredState, desired_state
from modelwatch.pagerduty_setup.plan import make_plan, observe
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn, PagerDutyState

NOW = 1_795_132_800.0
QUICK = RetryPolicy(max_attempts=4, initial_wait=0.001, max_wait=0.002, timeout=5.0)
OWNER = "acme/churn-model"
MARK = f"managed by modelwatch: {OWNER}"

BARE = """\
version: 1
models:
  - name: churn
    table: {path: metrics.csv}
    github: {repository: acme/churn-model}
    pagerduty:
      routing_key: "${PAGERDUTY_ROUTING_KEY}"
      service: churn-model
PAGERDUTY
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, tiers: {error: {below: 0.8, do: [issue, page]}}}
"""
FULL = """\
      escalation:
        policy: ML on call
        steps:
          - {schedules: ML primary, wait: 15m}
          - {users: [lead@acme.example, head@acme.example], wait: 30m}
        repeat: 2
      event_rules:
        - {name: drift can wait, severity: [info, warning], kind: data-drift, pause: 10m}
        - {name: worst, severity: critical, priority: P1, escalation: Everybody, note: Call the bank.}
      webhook: https://relay.acme.example/pagerduty
"""
CHANGED = """\
      escalation:
        policy: ML on call
        steps:
          - {schedules: ML primary, wait: 15m}
          - {users: head@acme.example, schedules: ML secondary, wait: 20m}
      urgency: high
      event_rules:
        - {name: tests, condition: "event.source matches part 'test'", suppress: on}
        - {name: drift can wait, severity: [info, warning], kind: data-drift, pause: 5m}
      webhook: {url: "https://relay2.acme.example/pagerduty", events: [incident.resolved, incident.acknowledged]}
"""


def config_text(pagerduty: str) -> str:
    return BARE.replace("PAGERDUTY\n", pagerduty)


def people(state: PagerDutyState) -> None:
    """Who and what is there before, none of it ours."""
    state.add_user("lead@acme.example", "Lead")
    state.add_user("head@acme.example", "Head")
    state.add_schedule("ML primary")
    state.add_schedule("ML secondary")
    state.add_priority("P1")
    state.add_policy("Everybody", "Made by hand")
    state.add_service("payments")
    state.add_service("churn-model-old")


@dataclass
class World:
    server: Server[PagerDutyStandIn]
    folder: Path
    token: str = ""
    kept: dict[str, str] = field(default_factory=dict)

    def renew(self) -> None:
        """Another account, with the same people."""
        self.server.standin.state = PagerDutyState(lambda: NOW)
        people(self.state)
        self.token = self.state.add_token()
        self.server.clear()
        self.kept.clear()
        self.config(FULL)

    @property
    def state(self) -> PagerDutyState:
        return self.server.standin.state

    def config(self, pagerduty: str) -> None:
        (self.folder / "modelwatch.yml").write_text(config_text(pagerduty), "utf-8")

    def env(self, **more: str) -> dict[str, str]:
        return {
            "PAGERDUTY_API_URL": self.server.url,
            "PAGERDUTY_WRITE_TOKEN": self.token,
            "MODELWATCH_WAIT_SCALE": "0.001",
            "COLUMNS": "120",
            "NO_COLOR": "1",
            **more,
        }

    def wanted(self) -> DesiredState:
        config = load_config(self.folder / "modelwatch.yml", {}, require_secrets=False)
        return desired_state(config, {"PAGERDUTY_API_URL": self.server.url})

    def admin(self) -> AdminClient:
        return AdminClient(self.token, self.server.url, QUICK)

    def plan(self) -> SetupPlan:
        asked = self.wanted()
        return make_plan(asked, observe(self.admin(), asked))

    def apply(self, *, storing: bool = True) -> ApplyResult:
        asked = self.wanted()
        seen = observe(self.admin(), asked)
        return apply(self.admin(), asked, seen, make_plan(asked, seen), self._store if storing else None)

    def _store(self, name: str, value: str) -> None:
        self.kept[name] = value

    def writes(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.server.requests if one.method != "GET"]

    def service(self, name: str = "churn-model") -> Any:
        return next(one for one in self.state.services.values() if one.name == name)

    def subscriptions(self) -> list[dict[str, Any]]:
        return list(self.state.subscriptions.values())

    def rules(self) -> list[dict[str, Any]]:
        return next(
            one["rules"] for one in self.state.orchestrations[self.service().id]["sets"] if one["id"] == "start"
        )

    def policy(self, name: str = "ML on call") -> dict[str, Any]:
        return next(one for one in self.state.policies.values() if one["name"] == name)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def run(*arguments: str, group: str = "pagerduty") -> Ran:
    """Invoke the command in this process, as the console script does."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([group, *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def facts(state: PagerDutyState) -> dict[str, Any]:
    """Everything that is set up, by names instead of ids."""
    names = {number: f"<{user.email}>" for number, user in state.users.items()}
    for rows in (state.schedules, state.policies, state.priorities):
        names |= {number: f"<{row['name']}>" for number, row in rows.items()}
    names |= {number: f"<{service.name}>" for number, service in state.services.items()}

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items() if key not in ("secret", "changed")}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return names.get(value, "<id>" if _is_id(value) else value) if isinstance(value, str) else value

    return {
        "policies": sorted((plain(row) for row in state.policies.values()), key=lambda row: row["name"]),
        "services": {one.name: plain(state.service_settings.get(one.id, {})) for one in state.services.values()},
        "integrations": sorted((names[one.service], one.name, one.type) for one in state.integrations.values()),
        "rules": {names[number]: plain(kept) for number, kept in state.orchestrations.items()},
        "evaluated": sorted(names[number] for number in state.active_orchestrations),
        "subscriptions": sorted((plain(one) for one in state.subscriptions.values()), key=json.dumps),
    }


def _is_id(value: str) -> bool:
    return len(value) == 14 and value[0] in "PQRr" and value[1:].isdecimal()
