"""``modelwatch runbooks render``: a page for a kind, or for one alert with everything filled in."""

from __future__ import annotations

import re
from dataclasses import replace

from modelwatch.model.alert import Evidence
from modelwatch.model.release import Move, MoveState, MoveVerb
from modelwatch.model.version_health import RollbackCandidate
from modelwatch.report.formatting import utc_time
from modelwatch.runbooks.render import AlertContext, alert_context, fitting_rows, render_page
from modelwatch.testing.standins.faults import Fault
from tests.cli.world import CONFIG, CRITICAL, HEALTHY, Ran, World
from tests.report.making import NOW, group


def fire(world: World, config: str = CONFIG) -> None:
    world.config(config)
    world.metrics(HEALTHY, CRITICAL, CRITICAL)
    world.at(3)
    world.run("run")


def rendered(world: World, *arguments: str) -> Ran:
    return world.run("runbooks", "render", *arguments, "--format", "markdown")


def test_a_page_by_its_kind(world: World) -> None:
    plain = rendered(world, "latency").out
    assert plain.startswith("# Latency\n\n**The model answers too slowly.")
    assert "modelwatch diagnose MODEL" in plain
    assert "(README.md#placeholders)" not in plain
    assert "blob/HEAD/runbooks/error-rate.md)" in plain
    assert "modelwatch diagnose churn" in rendered(world, "latency", "--model", "churn").out


def test_a_page_for_an_alert_by_rule_number_and_address(world: World) -> None:
    fire(world)
    by_rule = rendered(world, "--alert", "churn/accuracy")
    assert by_rule.code == 0
    for part in (
        "# Accuracy drop\n\n> `CRITICAL: churn accuracy is 0.78",
        "gh issue view 1",
        "> issue: <http",
        "> incident: <http",
    ):
        assert part in by_rule.out
    issue = f"{world.github.url}/acme/churn-model/issues/1"
    assert {rendered(world, "--alert", name).out for name in ("1", "#1", issue)} == {by_rule.out}
    assert "Fill in TARGET (no healthy version is on record)." in by_rule.out


def test_what_does_not_exist_is_told_with_what_does(world: World) -> None:
    fire(world)
    for arguments, told in (
        (("latncy",), "Did you mean `latency`?"),
        (("--alert", "churn/acuracy"), "Did you mean `accuracy`?"),
        (("--alert", "pets"), "Models: churn."),
        (("--alert", "99"), "there is no issue #99"),
        ((), "give either a kind, or an alert"),
    ):
        found = rendered(world, *arguments)
        assert found.code == 2
        assert told in found.err


def test_a_page_of_a_users_own(world: World) -> None:
    world.write("docs/ours.md", "# Ours\n\nLook at `MODEL` in [the other](other.md).\n")
    fire(world, CONFIG.replace("kind: accuracy-drop", "kind: accuracy-drop\n        runbook: docs/ours.md"))
    found = rendered(world, "--alert", "churn/accuracy").out
    assert found.startswith("# Ours\n\n> `CRITICAL: churn accuracy")
    assert "Look at `churn` in [the other](https://github.com/acme/churn-model/blob/HEAD/docs/other.md)." in found


def test_a_page_elsewhere_is_pointed_at(world: World) -> None:
    fire(world, CONFIG.replace("    rules:\n", '    runbooks: {base: "https://wiki.acme.example"}\n    rules:\n'))
    assert (
        "The page is yours: https://wiki.acme.example/accuracy-drop.md"
        in rendered(world, "--alert", "churn/accuracy").out
    )


def test_a_source_or_a_target_that_is_down_takes_nothing_else_away(world: World) -> None:
    fire(world)
    (world.folder / "metrics.csv").unlink()
    blind = rendered(world, "--alert", "1").out
    assert blind.startswith("# Accuracy drop\n\n> `The metrics cannot be read;")
    assert "gh issue view 1" in blind
    world.metrics(HEALTHY, CRITICAL, CRITICAL)
    world.github.inject(Fault("status", status=503, times=-1))
    assert "Fill in ISSUE" in rendered(world, "--alert", "churn/accuracy").out


def test_what_a_shell_would_read_is_not_pasted_into_a_command() -> None:
    page = "# T\n\n```sh\nmodelwatch release rollback TARGET --model MODEL\n```\n"
    text = render_page(
        page, AlertContext({"MODEL": "churn", "TARGET": "v6; rm -rf ~"}, has_alert=True), "https://x.example"
    )
    assert "modelwatch release rollback TARGET --model churn" in text
    assert "Fill in TARGET in quotation marks: it is `v6; rm -rf ~`." in text


def test_the_target_is_a_version_that_would_be_accepted() -> None:
    """v7 was healthy by its own rules; the ranking refuses it."""
    refused = RollbackCandidate("v7", "v7", "was itself rolled back: worse")
    for candidates, target in (((), "v7"), ((refused,), ""), ((refused, RollbackCandidate("v5", "v5")), "v5")):
        evidence = Evidence(version="v6", previous=("v7",), rollback=candidates)
        context = alert_context(group(evidence=evidence), None, None, NOW)
        assert context.values["TARGET"] == target


def test_after_a_rollback_the_target_is_what_serves() -> None:
    """No version is left to go back to, and nobody is to fill one in."""
    move = Move("k", MoveVerb.ROLLBACK, "churn", "v7", "v6", "", "robin", NOW, state=MoveState.DONE)
    context = alert_context(group(evidence=Evidence(version="v6", move=move)), None, None, NOW)
    text = render_page("# T\n\n```\nmodelwatch release rollback TARGET\n```\n", context, "https://x.example")
    made = f"TARGET has no value: the rollback to v6 of {utc_time(NOW)} is made: wait for its metrics."
    assert made in text
    assert "Fill in TARGET" not in text
    for other in (replace(move, verb=MoveVerb.DEGRADE), replace(move, state=MoveState.FAILED)):
        context = alert_context(group(evidence=Evidence(version="v7", move=other)), None, None, NOW)
        text = render_page("# T\n\n```\nmodelwatch release rollback TARGET\n```\n", context, "https://x.example")
        assert "Fill in TARGET (no healthy version is on record)." in text


def test_commands_on_a_terminal_are_not_wrapped(world: World) -> None:
    world.setenv("COLUMNS", "40")
    shown = world.run("runbooks", "render", "rollback-failed").out
    assert "gh workflow run rollback.yml -f key=KEY -f model=MODEL -f version=VERSION" in shown
    assert "```" not in shown
    assert "**" not in shown


def test_a_terminal_gets_no_escape_sequences_but_colours_and_the_links_at_the_end(world: World) -> None:
    world.setenv("FORCE_COLOR", "1")
    world.setenv("TTY_COMPATIBLE", "1")
    shown = world.run("runbooks", "render", "rollback-failed").out
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "\x1b" not in plain
    assert "]8;" not in plain
    assert "\N{REPLACEMENT CHARACTER}" not in plain
    rest = plain.partition("Afterwards")[2]
    assert re.search(r"(?m)^Let Actions look: https://\S+#nothing-set-up-on-this-machine$", rest)


def test_the_rows_that_fit_are_marked() -> None:
    page = (
        "# T\n\n**Answer.**\n\n## What you see → likely cause → what to do\n\n"
        "| What you see | Likely cause | What to do |\n|---|---|---|\n"
        "| `Changed`: a version came … `before it began` | release | roll back |\n"
        "| `Drifted` names an input | input | look |\n"
        "| `Also`: `no points in … window` | silence | restart |\n"
        "| nothing to quote | chance | wait |\n"
    )
    shown = {"": "ERROR", "Changed": "v6, 2 h before it began", "Also": "no points in the window", "Why": "unlike"}
    assert fitting_rows(page, shown) == {9, 11}
    assert fitting_rows(page, shown | {"Changed": "v6", "Drifted": "age"}) == {11}, (
        "that there is a section says little"
    )
    assert fitting_rows(page.replace("`no points in", "`points in the win`, `no points in"), shown) == {9}, (
        "half a word"
    )
    assert fitting_rows(page, {}) == frozenset()
    marked = render_page(page, AlertContext(summary=("an alert",), shown=shown), "https://x.example")
    assert "| **►** `Changed`: a version" in marked
    assert "| `Drifted` names" in marked
    assert "> ► marks the rows of the table" in marked


def test_an_alert_marks_its_row_and_shows_the_teams_own_links(world: World) -> None:
    links = '{Grafana: "https://grafana.example/d/churn", more replicas: "kubectl scale deploy/churn --replicas=4"}'
    fire(world, CONFIG.replace("    rules:\n", f"    links: {links}\n    rules:\n"))
    page = rendered(world, "--alert", "churn/accuracy").out
    assert "> Grafana: <https://grafana.example/d/churn>" in page
    assert "> `Commands: more replicas: kubectl scale deploy/churn --replicas=4`" in page
    assert "| **►** `Changed`: `no healthy version on record` |" in page
    (issue,) = world.github.standin.state.repo("acme/churn-model").issues.items.values()
    body = issue.body or ""
    assert "- [Grafana](https://grafana.example/d/churn)" in body
    assert "- more replicas: `kubectl scale deploy/churn --replicas=4`" in body
