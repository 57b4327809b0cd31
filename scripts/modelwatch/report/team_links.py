"""The alert's page on the dashboard, and the team's own dashboards and commands, from ``links:`` of rule and model."""

from __future__ import annotations

from ..model.monitored_model import Model
from ..model.rule import Rule
from ..model.site_paths import alert_path
from .markdown import code, link, plain_line, safe_url

Links = tuple[tuple[str, str], ...]


def team_links(model: Model | None, rule_name: str) -> Links:
    """Name and URL or command: those of the rule, then those of the model that it does not replace."""
    if model is None:
        return ()
    rule: Rule | None = next((rule for rule in model.rules if rule.name == rule_name), None)
    links = dict(rule.links) if rule else {}
    return tuple((links | {name: text for name, text in model.links if name not in links}).items())


def alert_page(model: Model | None, group: str, episode: int, suffix: str = ".html") -> str:
    """The address of an alert's page on the published dashboard, or of its picture (``.png``); empty where there is
    none."""
    return f"{model.dashboard}/{alert_path(model.name, group, episode, suffix)}" if model and model.dashboard else ""


def dashboards(links: Links) -> Links:
    """Those that are URLs."""
    return tuple((name, text) for name, text in links if safe_url(text))


def commands(links: Links) -> str:
    """The others as one line: ``scale up: kubectl scale deployment/churn --replicas=4; ...``; empty without any."""
    return "; ".join(f"{name}: {plain_line(text, 500)}" for name, text in links if not safe_url(text))


def links_section(links: Links) -> str:
    """A list in Markdown; empty without links."""
    rows = [f"- {link(name, text)}" if safe_url(text) else f"- {name}: {code(text, 500)}" for name, text in links]
    return "### Links\n\n" + "\n".join(rows) if rows else ""
