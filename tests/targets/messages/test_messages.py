"""Messages over a real loopback server: short, at most once, muted like everything else, and in nobody's way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from modelwatch.model.alert import AlertState, Mute, group_key
from modelwatch.model.monitored_model import MessageEvent, MessagesSpec
from modelwatch.model.plan import Change, ChangeKind, Note, Plan, Receipts
from modelwatch.model.register import MessageRecord, MessageState
from modelwatch.model.rule import Mode
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.observe import observe_models
from modelwatch.targets.plan import make_plan
from modelwatch.targets.register.codec import parse_body
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Request, Response, Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

from ..test_whole_line import judged
from ..world import GROUP, NOW, World, change, furnished, opening, plan, register, results


class Chat:
    """Takes messages, or answers with ``status``."""

    name = "chat"

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.status = 200

    def handle(self, request: Request) -> Response:
        if self.status == 200:
            self.messages.append(json.loads(request.body))
        return Response.of({}, self.status)


@pytest.fixture
def chat() -> Iterator[Server[Chat]]:
    with Server(Chat()) as server:
        yield server


@pytest.fixture
def world(
    chat: Server[Chat], github_server: Server[GitHubStandIn], pagerduty_server: Server[PagerDutyStandIn]
) -> World:
    made = furnished(github_server, pagerduty_server)
    made.messages = MessagesSpec((address(chat),))
    return made


def address(chat: Server[Chat]) -> Secret:
    return Secret("CHAT_URL", f"{chat.url.replace('http', 'json')}/secret-path-of-the-room")


def evaluate(
    world: World, now: float = NOW, *, firing: bool = True, severity: Severity = Severity.ERROR, muted: bool = False
) -> Receipts:
    made = planned(world, now, firing=firing, severity=severity, muted=muted)
    return world.apply(made, now=now)


def planned(
    world: World, now: float = NOW, *, firing: bool = True, severity: Severity = Severity.ERROR, muted: bool = False
) -> Plan:
    judgement = judged(now, firing=firing)
    (group,) = judgement.groups
    group = replace(group, severity=severity, mutes=(Mute("silence", "holidays"),) if muted else ())
    judgement = replace(judgement, groups=(group,))
    sessions = world.connect()
    return make_plan(judgement, sessions.config, observe_models(sessions, [world.model], judgement, now), now)


def topics(made: Plan) -> list[str]:
    return [change.notes[0].topic for change in made.changes if change.kind is ChangeKind.SEND_MESSAGE]


def titles(chat: Server[Chat]) -> list[str]:
    return [message["title"] for message in chat.standin.messages]


def states(world: World) -> list[tuple[str, str]]:
    held = world.observe()[0].register
    assert held is not None
    return [(record.key.split(".", 2)[2], str(record.state)) for record in held.messages]


def test_opened_worse_and_recovered(world: World, chat: Server[Chat]) -> None:
    assert "failed" not in results(evaluate(world))
    (message,) = chat.standin.messages
    assert message["title"] == "[error] churn: accuracy below its baseline"
    first, link = message["message"].splitlines()
    assert first.startswith("Opened at 2026-09-21 14:13 UTC: accuracy")
    assert link == f"{world.github.url}/acme/churn/issues/1"
    assert states(world) == [("opened.1", "taken")]
    evaluate(world, NOW + 60, severity=Severity.CRITICAL)
    evaluate(world, NOW + 120, severity=Severity.CRITICAL)
    evaluate(world, NOW + 7200, firing=False)
    evaluate(world, NOW + 7260, firing=False)
    assert [title.split()[0] for title in titles(chat)] == ["[error]", "[critical]", "[recovered]"]
    assert [message["type"] for message in chat.standin.messages] == ["failure", "failure", "success"]
    assert "Worse: now critical." in chat.standin.messages[1]["message"]
    assert chat.standin.messages[2]["message"].startswith("Recovered after 3 h 58 min (")


def test_only_what_is_configured(world: World, chat: Server[Chat]) -> None:
    world.messages = replace(world.messages, on=(MessageEvent.RECOVERED,))
    evaluate(world)
    evaluate(world, NOW + 7200, firing=False)
    assert [title.split()[0] for title in titles(chat)] == ["[recovered]"]


def test_a_proposal_is_sent(world: World, chat: Server[Chat]) -> None:
    (spec,) = world.workflows
    world.workflows = (replace(spec, mode=Mode.PROPOSE),)
    made = planned(world)
    assert topics(made) == ["opened", "proposal"]
    world.apply(made)
    assert any("/modelwatch approve retrain.1" in message["message"] for message in chat.standin.messages)


def test_nothing_while_it_is_muted(world: World, chat: Server[Chat]) -> None:
    evaluate(world, muted=True)
    evaluate(world, NOW + 60)
    evaluate(world, NOW + 120, severity=Severity.CRITICAL, muted=True)
    evaluate(world, NOW + 7200, firing=False, muted=True)
    assert [title.split()[0] for title in titles(chat)] == ["[error]"]


def test_without_an_issue_nothing_would_remember_the_message(world: World, chat: Server[Chat]) -> None:
    world.github.inject(Fault("status", status=503, times=-1))
    made = planned(world)
    assert topics(made) == []
    assert [skip.guard for skip in made.skips if skip.what == "send-message"] == ["unobservable"]
    world.github.clear()


def test_a_service_that_is_down_stops_nothing_and_is_reported(world: World, chat: Server[Chat]) -> None:
    chat.standin.status = 500
    receipts = evaluate(world)
    assert results(receipts) == ["done", "done", "done", "failed"]
    assert "JSON did not take the message (CHAT_URL)" in receipts.receipts[3].detail
    assert "secret-path" not in repr(receipts)
    held = world.observe()[0].register
    assert held is not None
    assert held.troubles[0].startswith("sending the message failed: JSON did not take")
    chat.standin.status = 200
    evaluate(world, NOW + 60)
    assert titles(chat) == [], "it may have been taken: better none than two"


@pytest.mark.parametrize(("severity", "level"), [(Severity.WARNING, "warning"), (Severity.INFO, "info")])
def test_a_message_is_as_loud_as_its_alert(world: World, chat: Server[Chat], severity: Severity, level: str) -> None:
    evaluate(world, severity=severity)
    assert [message["type"] for message in chat.standin.messages] == [level]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "the environment variable CHAT_URL, an address of `messages`, is not set"),
        ("x", "CHAT_URL holds no address"),
    ],
)
def test_an_address_that_cannot_be_used_is_in_the_plan_and_its_message_waits(
    world: World, chat: Server[Chat], value: str, reason: str
) -> None:
    right = world.messages
    world.messages = MessagesSpec((Secret("CHAT_URL", value),))
    made = planned(world)
    ((model, problem),) = made.troubles
    assert (model, problem.startswith(f"messages cannot be sent: {reason}")) == ("churn", True)
    assert results(world.apply(made)) == ["done", "done", "done", "failed"]
    assert states(world) == [("opened.1", "intended")]
    world.messages = right
    evaluate(world, NOW + 60)
    assert len(titles(chat)) == 1


def test_of_two_addresses_one_may_be_wrong(world: World, chat: Server[Chat]) -> None:
    world.messages = MessagesSpec((Secret("WRONG", "nonsense"), address(chat)))
    receipts = evaluate(world)
    assert results(receipts)[3] == "failed"
    assert "WRONG holds no address" in receipts.receipts[3].detail
    assert len(titles(chat)) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["status", "drop"])
@pytest.mark.parametrize("step", range(10))
def test_never_twice_whatever_github_loses(world: World, chat: Server[Chat], what: str, when: str, step: int) -> None:
    world.github.inject(Fault(what, when=when, status=502, skip=step, times=1))
    made = planned(world)
    world.apply(made)
    world.apply(made)
    world.github.clear()
    for minute in range(1, 4):
        evaluate(world, NOW + 60 * minute)
    assert len(titles(chat)) == 1, "and here nothing was lost for good"


def taken(state: MessageState) -> Change:
    record = MessageRecord(f"{GROUP}.1.opened.1", state, NOW)
    return change(ChangeKind.OPEN_ISSUE, register=register(messages=(record,)))


def sending() -> Change:
    key = f"{GROUP}.1.opened.1"
    return change(ChangeKind.SEND_MESSAGE, about=key, notes=(Note(key, "opened"),))


def test_a_message_that_was_taken_is_not_sent_again(world: World, chat: Server[Chat]) -> None:
    """A crash came between taking and sending: the message is lost."""
    assert results(world.apply(plan(taken(MessageState.TAKEN), sending()))) == ["done", "already"]
    assert titles(chat) == []


def test_a_message_that_was_intended_is_sent_by_the_next_evaluation(world: World, chat: Server[Chat]) -> None:
    """A crash came between the issue and the message."""
    world.apply(plan(taken(MessageState.INTENDED)))
    made = planned(world, NOW + 60)
    assert topics(made) == ["opened"]
    world.apply(made, now=NOW + 60)
    assert len(titles(chat)) == 1
    assert topics(planned(world, NOW + 120)) == []


def test_a_message_without_its_record_is_refused(world: World, chat: Server[Chat]) -> None:
    assert results(world.apply(plan(opening().changes[0], sending()))) == ["done", "refused"]
    assert titles(chat) == []


def test_apply_only_messages(world: World, chat: Server[Chat]) -> None:
    made = planned(world)
    world.apply(made, [Target.ISSUE])
    assert titles(chat) == []
    assert results(world.apply(made, [Target.MESSAGE]))[3] == "done"
    assert results(world.apply(made, [Target.MESSAGE]))[3] == "already"
    assert len(titles(chat)) == 1


def test_a_name_pings_nobody(world: World, chat: Server[Chat]) -> None:
    world.state.repo("acme/churn")
    judgement = judged(NOW, firing=True)
    (group,) = judgement.groups
    labels = (("region", "<!channel> @everyone [x](https://evil.example)"),)
    alert = replace(group.alerts[0], labels=labels)
    judgement = replace(judgement, groups=(replace(group, alerts=(alert,), state=AlertState.FIRING),))
    sessions = world.connect()
    made = make_plan(judgement, sessions.config, observe_models(sessions, [world.model], judgement, NOW), NOW)
    world.apply(made)
    text = json.dumps(chat.standin.messages[0], ensure_ascii=False)
    assert "evil.example" in text
    for alive in ("<!channel>", "@everyone", "](https"):
        assert alive not in text


def test_a_service_that_drips_is_left_in_time(world: World, chat: Server[Chat]) -> None:
    """Else the pages of all groups after this one would wait for it."""
    world.timeout_scale = 0.02
    chat.inject(Fault("drip", seconds=0.2, times=-1))
    started = time.monotonic()
    receipts = evaluate(world)
    assert "json did not take the message" in receipts.receipts[-1].detail.lower()
    assert time.monotonic() - started < 10, "the answer takes half a minute"


def test_slow_services_of_messages_are_left_alone_when_they_have_cost_their_time(
    world: World, chat: Server[Chat]
) -> None:
    """What was not sent is not marked as taken: the next evaluation sends it."""
    world.timeout_scale = 0.01
    world.messages = MessagesSpec((address(chat),) * 5)
    fault = chat.inject(Fault("drip", seconds=0.05, times=-1))
    rules = ("first", "second", "third")
    receipts = world.apply(plan(*(change for rule in rules for change in with_message(rule)))).receipts
    assert fault.strike_count <= 3
    assert [receipt.result.value for receipt in receipts if receipt.kind is ChangeKind.SEND_MESSAGE] == [
        "failed",
        "refused",
        "refused",
    ]
    states = [parse_body(str(issue["body"])).register for issue in world.issues()]
    assert [state.messages[0].state for state in states if state] == [
        MessageState.TAKEN,
        MessageState.INTENDED,
        MessageState.INTENDED,
    ]


def with_message(rule: str) -> list[Change]:
    """Opens the issue of a rule, and sends its message."""
    key = group_key("churn", rule)
    note = Note(f"{key}.1.opened.1", "opened")
    opened = register(group=key, rule=rule, messages=(MessageRecord(note.key, MessageState.INTENDED, NOW),))
    return [
        replace(change(ChangeKind.OPEN_ISSUE, register=opened), group=key),
        replace(change(ChangeKind.SEND_MESSAGE, about=note.key, notes=(note,)), group=key),
    ]
