"""The team's own dashboards and commands."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Rule
from modelwatch.report.team_links import alert_page, commands, dashboards, links_section, team_links

RULE = Rule("accuracy", "accuracy-drop", KeyPattern("a"), (), links=(("Grafana", "https://g.example/rule"),))
MODEL = Model("churn", (RULE,), links=(("Grafana", "https://g.example/model"), ("Scale", "kubectl `x`\n| y")))


def test_those_of_the_rule_come_first_and_replace() -> None:
    assert team_links(MODEL, "accuracy") == (("Grafana", "https://g.example/rule"), ("Scale", "kubectl `x`\n| y"))
    assert team_links(MODEL, "monitoring-silent") == MODEL.links
    assert team_links(None, "accuracy") == ()


def test_urls_are_links_and_the_rest_is_code() -> None:
    links = team_links(MODEL, "accuracy")
    assert dashboards(links) == (("Grafana", "https://g.example/rule"),)
    assert commands(links) == "Scale: kubectl `x` | y"
    assert links_section(links) == ("### Links\n\n- [Grafana](https://g.example/rule)\n- Scale: ``kubectl `x` ¦ y``")
    assert links_section(()) == ""


def test_the_page_of_an_alert_is_below_the_published_dashboard() -> None:
    published = replace(MODEL, dashboard="https://acme.github.io/ml")
    assert alert_page(published, "1234", 2) == "https://acme.github.io/ml/models/churn/alerts/1234-2.html"
    assert alert_page(published, "1234", 2, ".png").endswith("/1234-2.png")
    assert alert_page(MODEL, "1234", 1) == alert_page(None, "1234", 1) == ""


def test_an_address_that_is_no_plain_url_is_code() -> None:
    model = replace(MODEL, links=(("Wiki", "https://x.example/a(b)"), ("Script", "javascript:alert(1)")))
    section = links_section(team_links(model, "none"))
    assert "](" not in section
