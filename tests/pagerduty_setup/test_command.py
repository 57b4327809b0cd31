"""The command: tokens, consent, secrets, exit codes, both hosts."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest

from modelwatch.clients.pagerduty import pagerduty_api_url
from modelwatch.config.loader import load_config
from modelwatch.pagerduty_setup.desired_state import desired_state
from modelwatch.testing.standins.faults import Fault

from .world import CHANGED, FULL, World, config_text, run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def digest_of(text: str) -> str:
    return text.partition("--digest ")[2].partition("`")[0]


def test_plan_then_apply_that_plan(world: World) -> None:
    planned = run("plan")
    assert planned.code == 0
    digest = digest_of(planned.out)
    applied = run("apply", "--digest", digest, "--secrets-to", "secrets.env")
    assert applied.code == 0, applied.err
    assert "5 done" in applied.out
    again = run("apply")
    assert again.code == 0
    assert "No changes needed" in again.out


def test_another_plan_than_was_agreed_to_is_refused(world: World) -> None:
    digest = digest_of(run("plan").out)
    world.config(CHANGED)
    world.server.clear()
    refused = run("apply", "--digest", digest, "--secrets-to", "secrets.env")
    assert refused.code == 2
    assert "nothing was done" in refused.err
    assert digest_of(run("plan").out) in refused.err
    assert "+ escalation policy" in refused.out, "what it would be now"
    assert world.writes() == []


def test_nobody_agreed(world: World) -> None:
    refused = run("apply")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert world.writes() == []


def test_a_person_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run("apply").code == 130
    assert world.writes() == []
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run("apply", "--secrets-to", "secrets.env").code == 0
    assert world.plan().changes == ()


def test_a_read_only_token_is_enough_to_plan_and_not_to_apply(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGERDUTY_WRITE_TOKEN")
    assert "PAGERDUTY_WRITE_TOKEN" in run("plan").err
    monkeypatch.setenv("PAGERDUTY_TOKEN", world.state.add_token(read_only=True))
    assert run("plan").code == 0
    assert run("apply", "--yes").code == 2
    monkeypatch.setenv("PAGERDUTY_WRITE_TOKEN", world.state.add_token(read_only=True))
    refused = run("apply", "--yes", "--secrets-to", "secrets.env")
    assert refused.code == 4
    assert "not read-only" in " ".join(refused.out.split())
    assert world.state.subscriptions == {}
    assert "holds secrets" not in refused.err, "nothing was made, so nothing was kept"
    assert not Path("secrets.env").exists()


def test_a_service_in_trouble_is_told_with_what_to_do(world: World) -> None:
    world.server.inject(Fault("status", status=503, times=-1))
    told = run("plan")
    world.server.clear()
    assert told.code == 4
    assert "PagerDuty has trouble (status.pagerduty.com). The same command continues" in told.err


def test_secrets_go_into_a_file_of_ones_own_and_nowhere_else(world: World) -> None:
    Path("secrets.env").write_text("OTHER=1\nPAGERDUTY_ROUTING_KEY=old\n")
    done = run("apply", "--yes", "--secrets-to", "secrets.env")
    kept = dict(line.split("=", 1) for line in Path("secrets.env").read_text().splitlines())
    assert kept["OTHER"] == "1"
    assert kept["PAGERDUTY_ROUTING_KEY"] == world.service().routing_key
    assert kept["PAGERDUTY_WEBHOOK_SECRET"] == world.subscriptions()[0]["delivery_method"]["secret"]
    assert stat.S_IMODE(Path("secrets.env").stat().st_mode) == 0o600
    assert "gh secret set -f secrets.env" in done.err
    for secret in (kept["PAGERDUTY_ROUTING_KEY"], kept["PAGERDUTY_WEBHOOK_SECRET"], world.token):
        assert secret not in done.out + done.err
    told = run("apply", "--format", "json")
    assert kept["PAGERDUTY_ROUTING_KEY"] not in told.out + told.err
    assert sorted(path.name for path in Path().iterdir()) == ["modelwatch.yml", "secrets.env"]


@pytest.mark.parametrize("where", ["missing/secrets.env", "folder", "link"])
def test_a_place_that_cannot_keep_secrets_is_refused_before_anything_is_made(world: World, where: str) -> None:
    Path("folder").mkdir()
    Path("link").symlink_to("elsewhere")
    refused = run("apply", "--yes", "--secrets-to", where)
    assert refused.code == 2
    assert world.writes() == []


def test_the_routing_key_is_shown_on_a_terminal_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run("apply", "--yes", "--show-routing-key")
    assert refused.code == 2
    assert world.writes() == []
    monkeypatch.setattr("modelwatch.cli.pagerduty.sys.stdout", Terminal(), raising=False)
    from modelwatch.cli import pagerduty

    world.apply()
    key = world.service().routing_key
    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    pagerduty.pagerduty.main(["apply", "--show-routing-key"], standalone_mode=False)
    assert f"PAGERDUTY_ROUTING_KEY={key}" in shown.getvalue()


def test_where_the_routing_key_belongs_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply()
    told = run("apply").err
    assert "PAGERDUTY_ROUTING_KEY, which is not set here" in told
    assert "gh secret set PAGERDUTY_ROUTING_KEY" in told
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "k" * 32)
    assert "holds another one" in run("apply").err
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", world.service().routing_key)
    assert run("apply").err == ""


def test_what_is_left_alone_ends_with_4(world: World) -> None:
    world.state.add_policy("ML on call", "Made by hand")
    assert run("plan").code == 4
    assert run("apply", "--yes").code == 4
    assert "refused" in run("apply").out


def test_pagerduty_down_ends_with_4(world: World) -> None:
    world.server.inject(Fault("status", status=503, times=-1))
    down = run("plan")
    assert down.code == 4
    assert "503" in down.err
    assert "continues where it stopped" in down.err


def test_json_is_nothing_but_json(world: World) -> None:
    planned = json.loads(run("plan", "--format", "json").out)
    applied = run("apply", "--digest", planned["digest"], "--format", "json", "--secrets-to", "secrets.env")
    told = json.loads(applied.out)
    assert [one["result"] for one in told["receipts"]] == ["done"] * 5
    assert json.loads(run("apply", "--format", "json").out)["changes"] == []


def test_only_the_default_branch_is_applied(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"repository": {"default_branch": "main"}}')
    for name, value in (("ACTIONS", "true"), ("EVENT_NAME", "push"), ("REF", "refs/heads/try")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    assert run("apply", "--yes").code == 2
    assert world.writes() == []


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("      escalation: p\n", "https://api.pagerduty.com"),
        ("      escalation: p\n      region: eu\n", "https://api.eu.pagerduty.com"),
        ("      escalation: p\n      region: eu\n      api_url: https://pd.example\n", "https://pd.example"),
    ],
)
def test_the_host_is_the_one_of_the_configuration(world: World, section: str, url: str) -> None:
    Path("modelwatch.yml").write_text(config_text(section))
    assert desired_state(load_config(Path("modelwatch.yml"), {}, require_secrets=False), {}).account == url
    assert pagerduty_api_url({}, url) == url


def test_one_model_of_several(world: World) -> None:
    text = config_text(FULL)
    second = text[text.index("  - name: churn") :].replace("churn", "fraud").replace("ML on call", "Fraud on call")
    second = second.replace("webhook: https", "webhook: {secret_name: FRAUD_SECRET, url: https").replace(
        "/pagerduty\n", "/pagerduty}\n"
    )
    Path("modelwatch.yml").write_text(text + second)
    told = json.loads(run("plan", "--model", "fraud", "--format", "json").out)
    assert {one["name"] for one in told["changes"]} == {"Fraud on call", "fraud-model"}
    assert len(json.loads(run("plan", "--format", "json").out)["changes"]) == 10
