"""A secret of the environment appears nowhere: in no stream, file, issue, comment, page, summary or output, whatever
outside text it hides in."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import CONFIG, CRITICAL, ERROR, HEALTHY, HOUR, WANDB, Ran, World, log_to_wandb

FLEET = 'FRAUD_KEY=fraud-7f3a91c55d0e4b6688aa\nexport PEM="pem-line-one-51b2c9\npem-line-two-0d77e4"\n'
NAMED = ("WANDB_API_KEY", "GITHUB_TOKEN", "PAGERDUTY_ROUTING_KEY", "PAGERDUTY_TOKEN", "DEPLOY_PASSWORD")
PEM = ("pem-line-one-51b2c9", "pem-line-two-0d77e4")


@dataclass
class Place:
    """A world with an alert in which outside text of every sort holds secrets."""

    world: World
    secrets: tuple[str, ...]
    shown: list[str] = field(default_factory=list)
    """Everything that commands wrote to their streams."""

    def run(self, *arguments: str, now: bool = True) -> Ran:
        ran = self.world.run(*arguments, now=now)
        self.shown += [ran.out, ran.err]
        return ran

    def leaks(self) -> list[str]:
        """Where a secret, or its base64 form, is seen."""
        return [
            f"{where}: …{text[max(0, text.index(form) - 60) :][:160]}…"
            for where, text in (*self._said(), *self._written(), *self._sent())
            for secret in self.secrets
            for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")[:-1])
            if form in text
        ]

    def _said(self) -> Iterator[tuple[str, str]]:
        return ((f"stream {place}", text) for place, text in enumerate(self.shown))

    def _written(self) -> Iterator[tuple[str, str]]:
        ours = [path for path in self.world.folder.rglob("*") if path.is_file()]
        for path in ours:
            name = str(path.relative_to(self.world.folder))
            if name not in ("modelwatch.yml", "metrics.csv", "bad.yml") and not name.startswith("wandb/"):
                yield name, path.read_text("utf-8")

    def _sent(self) -> Iterator[tuple[str, str]]:
        for request in self.world.github.requests:
            yield f"{request.method} {request.path}", request.body.decode() + json.dumps(request.query)
        for request in self.world.pagerduty.requests:
            if request.body:
                event = json.loads(request.body)
                event.pop("routing_key")
                yield "event", json.dumps(event, ensure_ascii=False)
        for issue in self.world.issues:
            yield f"issue #{issue.number}", f"{issue.title}\n{issue.body}\n{issue.labels}"
        yield from (("comment", comment) for comment in self.world.comments)
        yield from (("workflow run", found.title + json.dumps(dict(found.inputs))) for found in self.world.runs)


def hostile(secrets: tuple[str, ...]) -> str:
    """A configuration with secrets in its texts: service, owner, reason of a silence that mutes a second rule."""
    head, rule = CONFIG.split("      - name: accuracy\n")
    head = head.replace("churn-model}", f'"{secrets[3]}"}}', 1).replace("@acme/growth-ml", secrets[4])
    silence = f'{{rule: again, until: 2027-01-01, owner: me, reason: "{secrets[5]}"}}'
    head = head.replace("    rules:", f"    silences: [{silence}]\n    rules:")
    rule = rule.replace("baseline:", 'segments: "eval/plan=*/accuracy"\n        baseline:')
    return f"{head}      - name: accuracy\n{rule}      - name: again\n{rule}"


@pytest.fixture
def place(world: World, wandb_server: Server[WandbStandIn]) -> Place:
    world.setenv("WANDB_API_KEY", "wb" * 20)
    world.setenv("DEPLOY_PASSWORD", "correct horse/battery+staple")
    world.setenv("MODELWATCH_SECRETS", FLEET)
    world.setenv("GITHUB_STEP_SUMMARY", str(world.folder / "summary"))
    world.setenv("GITHUB_OUTPUT", str(world.folder / "output"))
    secrets = (*(os.environ[name] for name in NAMED), "fraud-7f3a91c55d0e4b6688aa", *PEM)
    assert len(set(secrets)) == 8
    world.config(hostile(secrets), WANDB)
    history = [
        {
            "_timestamp": world.clock.now + hour * HOUR,
            "_step": hour,
            **{f"eval/plan={secret.replace('/', '%2F')}/accuracy": CRITICAL for secret in secrets},
            **{f"eval/plan={secret.replace('/', '%2F')}/n": 4000 for secret in secrets},
        }
        for hour in range(1, 5)
    ]
    log_to_wandb(wandb_server, HEALTHY, HEALTHY, ERROR, ERROR, config={"model_version": f"v-{secrets[0]}"})
    wandb_server.standin.state.add_run(
        "acme",
        "churn-prod",
        "day-2",
        display_name=f"run of {secrets[1]} {secrets[2]}",
        config={"model_version": f"v-{secrets[0]}"},
        tags=["production"],
        history=history,
        created_at=world.clock.now,
    )
    world.at(4)
    return Place(world, secrets)


def test_the_secrets_would_be_seen(place: Place) -> None:
    """That this test can fail: what the source gives does hold them."""
    text = json.dumps(place.secrets)
    place.shown.append(text)
    assert len(place.leaks()) == len(place.secrets)


def test_the_whole_line(place: Place) -> None:
    ran = place.run("run")
    assert ran.code == 0
    assert "***" in ran.out
    assert place.world.issues
    assert place.world.incidents
    for command in ("status", "audit", "check"):
        place.run(command)
        place.run(command, "--format", "json")
    place.run("gather", "modelwatch-out", "--out", "gathered.md", now=False)
    assert "***" in (place.world.issues[0].body or "")
    assert place.leaks() == []


def test_the_steps(place: Place) -> None:
    assert place.run("pull").code == 0
    assert place.run("evaluate").code == 0
    place.run("plan", "--format", "json")
    told = place.run("plan")
    assert place.run("apply", "--digest", told.out.rsplit("digest ", 1)[1].strip()).code == 0
    place.run("baseline", "capture", "--model", "churn", "--out", "b.json")
    assert place.world.load("b.json")["entries"]
    for command in (["config", "check"], ["config", "check", "--secrets"], ["shards"]):
        place.run(*command, now=False)
    assert place.leaks() == []


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
@pytest.mark.parametrize("service", ["github", "pagerduty", "wandb"])
def test_an_error_answer_that_echoes_secrets(
    place: Place, wandb_server: Server[WandbStandIn], service: str, status: int
) -> None:
    body = json.dumps({"message": f"bad {' '.join(place.secrets)}", "error": {"message": " ".join(place.secrets)}})
    servers: dict[str, Server[Any]] = {
        "github": place.world.github,
        "pagerduty": place.world.pagerduty,
        "wandb": wandb_server,
    }
    server = servers[service]
    server.inject(Fault("status", status=status, body=body, times=-1, method="" if service == "wandb" else "POST"))
    ran = place.run("run")
    assert ran.code == (3 if service == "wandb" else 4)
    server.clear()
    place.run("run")
    assert place.leaks() == []


def test_a_workflow_is_told_no_secret(place: Place) -> None:
    """Inputs of a dispatch stand on GitHub's pages for all to see."""
    text = (
        place.world.read("modelwatch.yml")
        .replace("[issue, page]", "[issue, retrain]")
        .replace("retrain: retrain.yml", f'retrain: {{file: retrain.yml, inputs: {{hint: "{place.secrets[0]}"}}}}')
    )
    text = text.replace("[issue, page, rollback]", "[issue, retrain]")
    place.world.write("modelwatch.yml", text)
    assert "dispatch retrain" in place.run("run").out
    assert place.leaks() == []


def test_a_bug_and_a_bad_configuration(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "\n".join(f'"{secret}": {secret}' for secret in place.secrets)
    place.world.write("bad.yml", f"version: 1\nmodels: []\n{bad}\n")
    assert place.run("config", "check", "bad.yml", now=False).code == 2

    def broken(*_: object, **__: object) -> None:
        held = " ".join(place.secrets)
        raise RuntimeError(held)

    monkeypatch.setattr("modelwatch.pipeline.pull", broken)
    place.world.setenv("GITHUB_ACTIONS", "true")
    place.world.setenv("GITHUB_EVENT_NAME", "schedule")
    assert place.run("check").code == 1
    assert place.run("config", "check", "bad.yml", now=False).code == 2
    assert place.leaks() == []
