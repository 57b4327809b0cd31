"""The PagerDuty client over HTTP: bounded, within lengths, clear."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from modelwatch.clients.pagerduty import (
    MAX_DETAILS_BYTES,
    EventImage,
    EventsApi,
    IncidentsApi,
    pagerduty_api_url,
    pagerduty_events_url,
)
from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import ServiceError, UserError
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

QUICK = RetryPolicy(max_attempts=4, initial_wait=0.001, max_wait=0.002, timeout=1.0)
Duty = Server[PagerDutyStandIn]


@pytest.fixture
def events(pagerduty_server: Duty) -> EventsApi:
    return EventsApi(pagerduty_server.standin.state.add_service("churn").routing_key, pagerduty_server.url, QUICK)


def trigger(events: EventsApi, **fields: object) -> None:
    plain = {"summary": "s", "source": "churn", "severity": "error", "timestamp": 1_790_000_000.0}
    events.trigger("key", **(plain | fields))  # type: ignore[arg-type]


def test_trigger_and_resolve(events: EventsApi, pagerduty_server: Duty) -> None:
    trigger(events)
    events.resolve("key")
    (incident,) = pagerduty_server.standin.state.incidents
    assert incident.status == "resolved"


@pytest.mark.parametrize(("status", "requests"), [(429, 4), (500, 4), (502, 4), (503, 4), (504, 4), (400, 1), (404, 1)])
def test_retries_are_bounded(events: EventsApi, pagerduty_server: Duty, status: int, requests: int) -> None:
    """pdpyras repeats a 429 for ever by default."""
    fault = pagerduty_server.inject(Fault("status", status=status, times=-1))
    with pytest.raises(ServiceError) as caught:
        trigger(events)
    assert fault.strike_count == requests
    assert caught.value.status == status
    assert str(status) in caught.value.message


@pytest.mark.parametrize("what", ["drop", "reset", "hang"])
def test_a_lost_connection(events: EventsApi, pagerduty_server: Duty, what: str) -> None:
    fault = pagerduty_server.inject(Fault(what, seconds=3, times=-1))
    with pytest.raises(ServiceError) as caught:
        trigger(events)
    assert fault.strike_count == 4
    assert caught.value.uncertain
    assert caught.value.status == 0


def test_broken_json(events: EventsApi, pagerduty_server: Duty) -> None:
    pagerduty_server.inject(Fault("broken-json", times=-1))
    with pytest.raises(ServiceError, match="not the JSON"):
        trigger(events)


@pytest.mark.parametrize(
    ("status", "body", "wait"), [(202, "[" * 100_000, ""), (429, "[" * 100_000, "9" * 5_000), (429, "", "soon")]
)
def test_answers_that_nobody_sends_are_errors_in_words(
    events: EventsApi, pagerduty_server: Duty, status: int, body: str, wait: str
) -> None:
    headers = (("Retry-After", wait),) if wait else ()
    pagerduty_server.inject(Fault("status", status=status, body=body, headers=headers, times=-1))
    with pytest.raises(ServiceError, match="could not trigger the alert"):
        trigger(events)


def test_a_wrong_key_is_told_without_showing_it(pagerduty_server: Duty) -> None:
    key = "abcdefgh" * 4
    with pytest.raises(ServiceError) as caught:
        trigger(EventsApi(key, pagerduty_server.url, QUICK))
    assert "routing key" in str(caught.value)
    assert "efgh" not in str(caught.value)
    pagerduty_server.inject(Fault("status", status=401))
    with pytest.raises(ServiceError) as caught:
        trigger(EventsApi(key, pagerduty_server.url, QUICK))
    assert "efgh" not in str(caught.value)


def test_long_texts_are_cut_and_large_details_left_out(events: EventsApi, pagerduty_server: Duty) -> None:
    trigger(events, summary="x" * 2000, details={"rows": ["y" * 1000] * 600})
    sent = pagerduty_server.requests[-1].json()
    assert len(sent["payload"]["summary"]) == 1024
    assert sent["payload"]["summary"].endswith("…")
    assert "omitted" in sent["payload"]["custom_details"]["note"]
    trigger(events, details={"text": "y" * (MAX_DETAILS_BYTES - 1000)})
    assert "text" in pagerduty_server.requests[-1].json()["payload"]["custom_details"]


def test_details_are_strict_json(events: EventsApi, pagerduty_server: Duty) -> None:
    trigger(events, details={"value": float("nan"), "all": (1.5, float("inf"))})
    assert pagerduty_server.requests[-1].json()["payload"]["custom_details"] == {"value": "nan", "all": [1.5, "inf"]}


def test_images_that_pagerduty_would_refuse_are_left_out(events: EventsApi, pagerduty_server: Duty) -> None:
    """Its contract: an image must be served over https; one that is not costs the whole event."""
    trigger(events, images=[EventImage("http://a/x.png"), EventImage("https://b/x.png", alt="the chart")])
    assert pagerduty_server.requests[-1].json()["images"] == [{"src": "https://b/x.png", "alt": "the chart"}]


def test_links_that_are_no_urls_are_left_out(events: EventsApi, pagerduty_server: Duty) -> None:
    trigger(events, links=[("a", "javascript:x"), ("b", "https://b")])
    assert pagerduty_server.requests[-1].json()["links"] == [{"href": "https://b", "text": "b"}]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_bad_dedup_key_is_refused(events: EventsApi, pagerduty_server: Duty, key: str) -> None:
    with pytest.raises(UserError):
        events.resolve(key)
    with pytest.raises(UserError):
        events.trigger(key, summary="s", source="s", severity="error", timestamp=0)
    assert pagerduty_server.requests == []


def test_mistakes_of_the_user(events: EventsApi) -> None:
    with pytest.raises(UserError, match="routing key"):
        EventsApi("", "http://127.0.0.1:9", QUICK)
    with pytest.raises(UserError, match="not the https URL"):
        EventsApi("k", "events.pagerduty.com", QUICK)


def test_change_events(pagerduty_server: Duty) -> None:
    key = pagerduty_server.standin.state.add_service("churn").routing_key
    changes = EventsApi(key, pagerduty_server.url, QUICK)
    links = [("history", "https://wandb.ai/x"), ("bad", "javascript:x")]
    details = {"rows": ["y" * 1000] * 600}
    changes.submit_change("s" * 2000, source="churn", timestamp=1_790_000_000.0, details=details, links=links)
    (told,) = pagerduty_server.standin.state.change_events
    assert len(told.event["payload"]["summary"]) == 1024
    assert told.event["payload"]["timestamp"] == "2026-09-21T14:13:20.000+00:00"
    assert told.event["payload"]["custom_details"]["note"].startswith("Details omitted")
    assert told.event["links"] == [{"href": "https://wandb.ai/x", "text": "history"}]
    fault = pagerduty_server.inject(Fault("status", status=429, times=-1))
    with pytest.raises(ServiceError, match="could not report the change: 429"):
        changes.submit_change("s", source="churn", timestamp=1_790_000_000.0)
    assert fault.strike_count == QUICK.max_attempts


def test_incidents(events: EventsApi, pagerduty_server: Duty) -> None:
    state = pagerduty_server.standin.state
    incidents = IncidentsApi(state.add_token(read_only=True), pagerduty_server.url, QUICK)
    assert incidents.latest_incident("key") is None
    trigger(events)
    state.resolve_as_person(state.incidents[0])
    trigger(events)
    found = incidents.latest_incident("key")
    assert found is not None
    assert found["status"] == "triggered"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_incidents_that_cannot_be_seen(pagerduty_server: Duty, status: int) -> None:
    pagerduty_server.inject(Fault("status", status=status, times=-1))
    with pytest.raises(ServiceError) as caught:
        IncidentsApi("token", pagerduty_server.url, QUICK).latest_incident("key")
    assert caught.value.status == status


def test_hosts() -> None:
    assert pagerduty_events_url({}) == "https://events.pagerduty.com"
    assert (
        pagerduty_events_url({"PAGERDUTY_EVENTS_URL": "https://events.eu.pagerduty.com/"})
        == "https://events.eu.pagerduty.com"
    )
    assert (
        pagerduty_api_url({"PAGERDUTY_API_URL": "x"}, "https://api.eu.pagerduty.com") == "https://api.eu.pagerduty.com"
    )


def test_the_notice_of_deprecation_is_not_shown_and_other_warnings_are() -> None:
    code = (
        "import warnings\n"
        "from modelwatch.clients.pagerduty import EventsApi\n"
        "from modelwatch.clients.retry import RetryPolicy\n"
        "EventsApi('k', 'http://127.0.0.1:9', RetryPolicy()); warnings.warn('mine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pdpyras" not in done.stderr
    assert "mine" in done.stderr


def test_a_redirect_is_not_followed_with_the_key(events: EventsApi, pagerduty_server: Duty) -> None:
    elsewhere = (("Location", f"{pagerduty_server.url}/elsewhere"),)
    fault = pagerduty_server.inject(Fault("status", status=307, headers=elsewhere, times=-1))
    with pytest.raises(ServiceError, match="307 with another address, which is not followed") as caught:
        trigger(events)
    assert (fault.strike_count, caught.value.uncertain) == (1, False)
    assert not [request for request in pagerduty_server.requests if "elsewhere" in request.path]


def test_a_wait_that_the_server_names_is_kept_or_told(pagerduty_server: Duty) -> None:
    key = pagerduty_server.standin.state.add_service("churn").routing_key
    patient = EventsApi(key, pagerduty_server.url, RetryPolicy(initial_wait=0.001, max_wait=1.0, timeout=5.0))
    pagerduty_server.inject(Fault("status", status=429, headers=(("Retry-After", "1"),)))
    trigger(patient)
    first, second = pagerduty_server.requests
    assert second.at - first.at >= 1
    fault = pagerduty_server.inject(Fault("status", status=429, headers=(("Retry-After", "60"),), times=-1))
    with pytest.raises(ServiceError, match="429") as caught:
        trigger(patient)
    assert fault.strike_count == 1
    assert "PagerDuty says to wait 60 s" in caught.value.hint


def test_a_call_ends_in_time_however_often_it_could_be_repeated(pagerduty_server: Duty) -> None:
    key = pagerduty_server.standin.state.add_service("churn").routing_key
    retry = RetryPolicy(max_attempts=9, initial_wait=0.01, max_wait=0.02, timeout=0.2, call_timeout=0.5)
    fault = pagerduty_server.inject(Fault("hang", seconds=3, times=-1))
    with pytest.raises(ServiceError, match="no usable answer"):
        trigger(EventsApi(key, pagerduty_server.url, retry))
    assert fault.strike_count == 2
    pagerduty_server.faults.clear()
    pagerduty_server.inject(Fault("status", status=429, headers=(("Retry-After", "1"),), times=-1))
    retry = replace(retry, max_wait=5.0)
    with pytest.raises(ServiceError, match="429") as caught:
        trigger(EventsApi(key, pagerduty_server.url, retry))
    assert "PagerDuty says to wait 1 s" in caught.value.hint


def test_an_answer_that_drips_ends_in_time(pagerduty_server: Duty) -> None:
    key = pagerduty_server.standin.state.add_service("churn").routing_key
    pagerduty_server.inject(Fault("drip", seconds=0.05, times=-1))
    with pytest.raises(ServiceError, match="no usable answer"):
        trigger(EventsApi(key, pagerduty_server.url, RetryPolicy(max_attempts=1, timeout=0.5)))
