"""Incidents observed through REST, and what a page says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.errors import ServiceError
from modelwatch.model.alert import AlertState, Judgement
from modelwatch.model.plan import ChangeKind, ObservedIncident, Precondition
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.testing.standins.faults import Fault

from ..world import GROUP, KEY, NOW, World, change, group, opening, plan, register, results

FIRING = Judgement(NOW, "digest", (group(),))


def seen(world: World) -> tuple[ObservedIncident, ...] | None:
    return world.observe_model(FIRING).incidents


def test_the_published_dashboard_is_linked_and_its_chart_shown(world: World) -> None:
    world.dashboard = "https://acme.github.io/ml"
    world.apply(opening())
    (incident,) = world.pagerduty.standin.state.incidents
    page = f"https://acme.github.io/ml/models/churn/alerts/{GROUP}-1"
    assert {"href": f"{page}.html", "text": "This alert on the dashboard"} in incident.event["links"]
    (image,) = incident.event["images"]
    assert (image["src"], image["href"]) == (f"{page}.png", f"{page}.html")
    assert "accuracy" in image["alt"]
    assert f"[This alert on the dashboard]({page}.html)" in str(world.issues()[0]["body"])


def test_a_dashboard_without_https_is_linked_and_shows_no_image(world: World) -> None:
    """PagerDuty refuses an event with such an image: then nobody would be paged."""
    world.dashboard = "http://10.0.0.1/ml"
    world.apply(opening())
    (incident,) = world.pagerduty.standin.state.incidents
    assert "images" not in incident.event


def test_without_a_token_nothing_is_known(world: World) -> None:
    assert seen(world) is None
    assert len(world.pagerduty.requests) == 0


def test_the_newest_incident_and_who_changed_it(world: World) -> None:
    world.rest_token = world.pagerduty.standin.state.add_token(read_only=True)
    assert seen(world) == ()
    world.apply(opening())
    first = seen(world)
    assert first is not None
    assert (first[0].group, first[0].status, first[0].by_person) == (GROUP, "triggered", False)
    assert first[0].by == "", "the name of an integration is nobody's"
    state = world.pagerduty.standin.state
    state.resolve_as_person(state.incidents[0])
    second = seen(world)
    assert second is not None
    assert (second[0].status, second[0].by_person) == ("resolved", True)
    assert second[0].changed_at >= second[0].created_at


def test_no_request_where_nothing_pages(world: World) -> None:
    world.rest_token = world.pagerduty.standin.state.add_token()
    quiet = replace(group(), state=AlertState.QUIET, severity=None)
    assert world.observe_model(Judgement(NOW, "digest", (quiet,))).incidents == ()
    assert len(world.pagerduty.requests) == 0
    assert len(world.requests()) == 1, "a healthy evaluation asks GitHub once, and PagerDuty not at all"


def test_a_page_in_the_register_is_followed_after_the_group_is_quiet(world: World) -> None:
    world.apply(opening())
    world.rest_token = world.pagerduty.standin.state.add_token()
    found = world.observe_model(Judgement(NOW, "digest", ())).incidents
    assert found is not None
    assert len(found) == 1


def test_rest_down_is_a_trouble_of_pages_alone(world: World) -> None:
    world.rest_token = "wrong"
    observed = world.observe_model(FIRING)
    assert observed.incidents is None
    assert "401" in observed.error_for(Target.PAGE)
    assert observed.error_for(Target.ISSUE) == ""


def test_broken_json_from_rest_is_a_trouble(world: World) -> None:
    world.rest_token = world.pagerduty.standin.state.add_token()
    world.pagerduty.inject(Fault("broken-json", times=-1))
    assert "not the JSON" in world.observe_model(FIRING).error_for(Target.PAGE)


def test_what_the_page_says(world: World) -> None:
    world.apply(opening())
    (recorded,) = world.pagerduty.requests
    sent = recorded.json()
    url = f"{world.github.url}/acme/churn/issues/1"
    assert sent["dedup_key"] == GROUP
    assert sent["links"] == [{"href": url, "text": "GitHub issue"}]
    assert (sent["client"], sent["client_url"]) == ("modelwatch", url)
    payload = sent["payload"]
    assert payload["timestamp"] == "2026-09-21T14:13:20.000+00:00"
    assert (payload["component"], payload["class"], payload["group"]) == ("churn-model", "accuracy-drop", "churn")
    assert payload["custom_details"]["since"] == "2026-09-21 12:13 UTC (2 h)"


def test_a_lost_answer_makes_no_second_incident(world: World) -> None:
    world.pagerduty.inject(Fault("drop", when="after"))
    assert results(world.apply(plan(change(ChangeKind.TRIGGER_INCIDENT)))) == ["done"]
    assert len(world.pagerduty.standin.state.incidents) == 1


PAGED = PageRecord("triggered", Severity.ERROR, NOW - 60, "https://pagerduty.example/incidents/1")


def test_a_further_page_is_not_linked_to_the_incident_of_before(world: World) -> None:
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register(page=PAGED))))
    further = change(ChangeKind.TRIGGER_INCIDENT, about=f"{GROUP}.2", expect=Precondition(1))
    assert [receipt.url for receipt in world.apply(plan(further)).receipts] == [""]
    held = world.observe()[0].register
    assert held is not None
    assert held.page is not None
    assert (held.page.alerts, held.page.url) == (2, "")


def test_who_silences_an_alert_does_not_acknowledge_the_incident(world: World) -> None:
    quiet = register(page=PAGED, silence_until=NOW + 3600, silence_reason="a deployment", silence_by="ada")
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=quiet)))
    world.apply(plan(change(ChangeKind.ACKNOWLEDGE_INCIDENT, expect=Precondition(1))))
    held = world.observe()[0].register
    assert held is not None
    assert held.page is not None
    assert (held.page.status, held.page.status_person) == ("acknowledged", "")
    entry = held.ledger.recent[-1]
    assert (entry.who, entry.what) == ("modelwatch", "incident acknowledged at PagerDuty")
    assert entry.why == "silenced by ada"


def ended(told: bool = False) -> DispatchRecord:
    return DispatchRecord(
        KEY, "rollback", DispatchState.FINISHED, NOW, "https://x.example/runs/9", 9, "success",
        target_version="v6", by="ada", ended=NOW + 60, told=told,
    )  # fmt: skip


def test_the_incident_is_told_how_a_workflow_ended(world: World) -> None:
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(ended(),)))))
    telling = change(ChangeKind.TELL_INCIDENT, about=KEY, reason="rollback.1 ended: success", expect=Precondition(1))
    assert results(world.apply(plan(telling))) == ["done"]
    (notice,) = world.pagerduty.standin.state.change_events
    assert notice.event["payload"]["summary"] == "churn: rollback to v6: rollback.1 ended: success"
    assert notice.event["payload"]["custom_details"] == {"key": KEY, "incident": GROUP, "by": "ada"}
    assert world.pagerduty.standin.state.incidents == [], "it wakes nobody"
    held = world.observe()[0].register
    assert held is not None
    assert held.dispatches[0].told
    assert results(world.apply(plan(telling))) == ["already"]
    assert len(world.pagerduty.standin.state.change_events) == 1


def test_a_telling_that_fails_is_told_again(world: World) -> None:
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(ended(),)))))
    world.pagerduty.inject(Fault("status", status=503, times=-1))
    telling = change(ChangeKind.TELL_INCIDENT, about=KEY, expect=Precondition(1))
    assert results(world.apply(plan(telling))) == ["failed"]
    held = world.observe()[0].register
    assert held is not None
    assert not held.dispatches[0].told


def test_a_telling_that_fails_stays_told_though_the_incident_is_resolved(world: World) -> None:
    page = PageRecord("triggered", Severity.ERROR, NOW)
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(ended(),), page=page))))
    world.pagerduty.inject(Fault("status", path="change", status=503, times=-1))
    telling = change(ChangeKind.TELL_INCIDENT, about=KEY, expect=Precondition(1))
    resolving = change(ChangeKind.RESOLVE_INCIDENT, expect=Precondition(1))
    assert results(world.apply(plan(telling, resolving))) == ["failed", "done"]
    held = world.observe()[0].register
    assert held is not None
    (told,) = held.troubles
    assert told.startswith("notifying PagerDuty how retrain.1 ended failed")
    world.pagerduty.faults.clear()
    assert results(world.apply(plan(telling))) == ["done"]
    held = world.observe()[0].register
    assert held is not None
    assert held.troubles == ()


def test_an_eu_host_by_configuration(world: World) -> None:
    targets = world.connect()
    pages = replace(world.model.pagerduty, events_url="http://127.0.0.1:9")
    targets.config = replace(targets.config, models=(replace(world.model, pagerduty=pages),))
    with pytest.raises(ServiceError, match=r"PagerDuty \(http://127\.0\.0\.1:9\)"):
        targets.events("churn").resolve("key")
    assert isinstance(pages.routing_key, Secret)
