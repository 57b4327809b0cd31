"""``modelwatch release`` as people and workflows call it."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from modelwatch.cli import main
from modelwatch.model.release import MoveVerb
from modelwatch.testing.standins.faults import Fault
from modelwatch.timeutil import DAY
from tests.release.world import World

CONFIG = """\
version: 1
models:
  - name: churn
    table: {path: rows.csv}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
    release:
      artifact: acme/train/churn
      keep: 2
      deploy: 'echo "deploying $MODELWATCH_VERSION with $DEPLOY_TOKEN"; ${DEPLOY:-true}'
      degrade: "true"
      train: '"$PYTHON" train.py'
      window: 30d
    rules: [{name: rows, kind: data-quality, metric: rows, window: 1h, tiers: {critical: {below: 1}}}]
"""
TRAIN = """\
import os, wandb
with wandb.init(entity="acme", project="train", id="newest") as run:
    artifact = wandb.Artifact("churn", "model", metadata={"data_version": os.environ["MODELWATCH_WINDOW_END"]})
    with artifact.new_file("window.txt") as file:
        file.write(os.environ["MODELWATCH_WINDOW_START"])
    run.log_artifact(artifact)
"""
TOKEN = "tok-0123456789abcdef"


class Shell:
    """The command line in a repository with releases."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.out = self.err = ""

    def __call__(self, *arguments: str, now: bool = True) -> int:
        self.world.now += 1
        when = ["--now", str(self.world.now)] if now else []
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main(["release", *arguments, *when])
            except SystemExit as ended:
                code = int(ended.code or 0)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def data(self) -> Any:
        return json.loads(self.out)

    def rows(self, *values: int) -> None:
        """The rows of the last hours."""
        first = int(self.world.now // 3600) * 3600 - 3600 * len(values) + 60
        lines = [f"{first + 3600 * hour},{value}" for hour, value in enumerate(values)]
        (self.world.folder / "rows.csv").write_text("\n".join(["time,rows", *lines]) + "\n")

    def versions(self, *served: tuple[str, int], hours: int) -> None:
        """The rows from so many hours ago on, each with the version that served, judged by a rule about the model."""
        config = CONFIG.replace("{path: rows.csv}", "{path: rows.csv, version: version}")
        (self.world.folder / "modelwatch.yml").write_text(config.replace("kind: data-quality", "kind: latency"))
        first = int(self.world.now // 3600) * 3600 - 3600 * hours + 60
        lines = [f"{first + 3600 * hour},{value},{version}" for hour, (version, value) in enumerate(served)]
        (self.world.folder / "rows.csv").write_text("\n".join(["time,rows,version", *lines]) + "\n")


@pytest.fixture
def shell(opened: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    opened.enter(tmp_path, monkeypatch, DEPLOY_TOKEN=TOKEN, PYTHON=sys.executable)
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    (tmp_path / "train.py").write_text(TRAIN)
    return Shell(opened)


def test_status_says_who_serves_and_who_put_it_there(shell: Shell) -> None:
    assert shell("promote", "candidate", "--reason", "won\nthe gate") == 0
    assert shell("status", now=False) == 0
    production = next(line for line in shell.out.splitlines() if line.startswith("production"))
    for part in (
        "1.2.0 (v3)",
        "333333333333",
        "2026-03",
        "accuracy 0.93",
        "2026-09-21 14:13 UTC",
        "ana",
        "won the gate",
    ):
        assert part in production
    assert shell("status", "--json", now=False) == 0
    found = shell.data()["aliases"]
    assert found["production"]["put"]["by"] == "ana"
    assert found["production"]["parameters"] == {"layers": "2", "lr": "0.3"}
    assert found["canary"] is None
    assert found["previous"]["version"] == "v2"


def test_versions_that_are_lost_are_told_loudly(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("promote", "v3")
    assert shell("status", "--exit-code", now=False) == 0
    state = shell.world.wandb.standin.state
    version = state.projects["acme", "train"].collections["churn"].versions.pop(2)
    del state.artifacts[version.id]
    assert shell("status", "--exit-code", now=False) == 10
    assert "a rollback to v2 is impossible: W&B no longer has the files" in shell.err
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert shell("status", now=False) == 0
    assert shell.err.startswith("::warning::")
    shell.rows(5, 5)
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit):
        main(["check", "--now", str(shell.world.now)])
    assert "a rollback to v2 is impossible" in out.getvalue(), "every evaluation says so"


def test_history_tells_every_move(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("promote", "v3", "--key", "k1")
    monkeypatch.setenv("DEPLOY", "false")
    assert shell("rollback", "--healthy", "v2", "--key", "k2", "--reason", "accuracy fell", "--by", "bo") == 4
    assert "Failed: rollback v2: the deploy command ended with exit code 1. The aliases were restored." in shell.out
    assert shell("history", "--json", now=False) == 0
    newest, oldest = shell.data()
    assert (newest["verb"], newest["state"], newest["by"], newest["reason"]) == (
        "rollback",
        "failed",
        "bo",
        "accuracy fell",
    )
    assert (oldest["key"], oldest["from"], oldest["version"], oldest["state"]) == ("k1", "v2", "v3", "done")
    shell("history", now=False)
    assert "accuracy fell; the deploy command ended with exit code 1" in " ".join(shell.out.split())


def test_diff_tells_both_values_and_counts_the_rest(shell: Shell) -> None:
    assert shell("diff", "production", "1.2.0", "--json", now=False) == 0
    found = shell.data()
    assert found["changed"]["data"] == ["2026-02", "2026-03"]
    assert found["changed"]["config lr"] == ["0.2", "0.3"]
    assert found["changed"]["metric accuracy"] == ["0.92", "0.93"]
    assert (set(found["changed"]), found["unchanged"]) == (
        {"data", "commit", "content", "config lr", "metric accuracy"},
        1,
    )
    shell("diff", "v2", "v3", now=False)
    assert shell.out.rstrip().endswith("5 differ, 1 are the same.")
    assert shell("diff", "v2", "v8", now=False) == 2
    assert "there is no version 'v8'" in shell.err


def test_rollback_chooses_and_asked_again_does_not_go_back_twice(shell: Shell) -> None:
    shell("promote", "v3")
    assert shell("rollback", "--healthy", "1.1.0", "--reason", "accuracy fell", "--key", "k1", "--json") == 0
    assert (shell.data()["version"], shell.data()["state"]) == ("v2", "done")
    assert shell("rollback", "--key", "k1") == 0
    assert shell.world.held() == {"production": "v2", "previous": "v3"}
    assert shell("rollback", "--healthy", "v3", "--healthy", "v2") == 2
    assert "there is no version to go back to" in shell.err
    assert "it was itself rolled back: accuracy fell" in shell.out


def test_rollback_asks_the_history_which_versions_were_healthy(shell: Shell, tmp_path: Path) -> None:
    """v1 served well, v2 did not, v3 fails now."""
    (tmp_path / "modelwatch.yml").write_text(
        CONFIG.replace("{path: rows.csv}", "{path: rows.csv, version: version}").replace(
            "kind: data-quality, metric: rows, window: 1h", "kind: latency, metric: rows, window: 1h, every: 1h"
        )
    )
    shell("promote", "v1")
    shell("promote", "v2")
    shell("promote", "v3")
    served = [("1.0.0", 5)] * 6 + [("v2", 0)] * 6 + [("v3", 0)] * 3
    first = int(shell.world.now // 3600) * 3600 - 3600 * len(served) + 60
    lines = [f"{first + 3600 * hour},{value},{version}" for hour, (version, value) in enumerate(served)]
    (tmp_path / "rows.csv").write_text("\n".join(["time,rows,version", *lines]) + "\n")
    assert shell("rollback", "--reason", "too slow") == 0, shell.err
    assert "healthy under today's rules: 1.0.0" in shell.out
    assert "not 1.1.0 (v2): it was not healthy while it served: rows was critical from" in shell.out
    assert shell.world.held()["production"] == "v1"


CHECKED = CONFIG.replace("      keep: 2\n", "      keep: 2\n      check: ./can-serve.sh\n      check_timeout: 2s\n")


@pytest.fixture
def checked(shell: Shell, tmp_path: Path) -> Callable[[str], None]:
    """Writes the check, and the configuration that names it."""

    def write(body: str) -> None:
        script = tmp_path / "can-serve.sh"
        script.write_text(f"#!/bin/bash\n{body}\n")
        script.chmod(0o755)
        (tmp_path / "modelwatch.yml").write_text(CHECKED)

    for version in ("v1", "v2", "v3"):
        shell("promote", version)
    return write


HEALTHY = ("--healthy", "v2", "--healthy", "v1")


def test_a_version_that_the_check_refuses_is_passed_over(shell: Shell, checked: Callable[[str], None]) -> None:
    """Its output is text from outside: one harmless line."""
    checked('echo "for $MODELWATCH_VERSION"; [ $MODELWATCH_VERSION = v1 ] || { echo "no\x1b[31m <b>room"; exit 3; }')
    assert shell("rollback", *HEALTHY, "--key", "k1") == 0
    assert "for v2" in shell.out
    assert "not 1.1.0 (v2) failed its check (exit code 3): no" in shell.out
    assert shell.world.held()["production"] == "v1"
    checked("exit 1")
    assert shell("rollback", *HEALTHY, "--key", "k1") == 0, "it is done: nothing is checked again"
    assert shell("rollback", "--healthy", "v2") == 2
    assert "there is no version to go back to" in shell.err
    assert shell.world.held()["production"] == "v1"


def test_a_named_version_that_the_check_refuses(shell: Shell, checked: Callable[[str], None]) -> None:
    """A person who names a version gets no other one, unless they said so."""
    checked('[ "$MODELWATCH_SERVING" = v1:100 ]')
    assert shell("rollback", "v2", *HEALTHY) == 2
    assert shell.world.held()["production"] == "v3"
    assert shell("rollback", "v2", *HEALTHY, "--fallback") == 0
    assert shell.world.held()["production"] == "v1"


def test_a_check_that_hangs_is_ended_with_its_children(shell: Shell, checked: Callable[[str], None]) -> None:
    checked("sleep 600 & sleep 600")
    assert shell("rollback", "--healthy", "v2") == 2
    assert "not 1.1.0 (v2) failed its check (no result within 2 s)" in shell.out
    assert shell.world.held()["production"] == "v3"


def test_status_ranks_the_versions_to_go_back_to(shell: Shell, checked: Callable[[str], None]) -> None:
    checked("exit 1")
    shell.versions(*[("v1", 5)] * 6, *[("v2", 0)] * 6, *[("v3", 0)] * 3, hours=15)
    assert shell("status", "--json") == 0
    assert [(one["version"], one["fit"]) for one in shell.data()["rollback"]] == [("v1", True), ("v2", False)]
    assert "was not healthy while it served" in shell.data()["rollback"][1]["reason"]
    shell("status")
    assert "1.0.0 (v1)" in shell.out.partition("To go back to:")[2]
    shell("status", "--no-rollback")
    assert "To go back to" not in shell.out


def test_without_a_healthy_version_those_of_the_history_are_named(shell: Shell, checked: Callable[[str], None]) -> None:
    checked("exit 0")
    shell.versions(*[("v2", 5)] * 5, *[("v3", 5)] * 5, hours=10)
    assert shell("rollback", "--reason", "complaints") == 0
    shell("status")
    assert "healthy under today's rules: none of those that served before (v3)\n" in shell.out
    assert "no version in the history" not in shell.out


def test_what_was_rolled_back_is_not_called_healthy(shell: Shell, checked: Callable[[str], None]) -> None:
    """By no rule about the metrics: somebody saw what none of them looks at."""
    checked("exit 0")
    shell.versions(*[("v1", 5)] * 5, *[("v2", 5)] * 5, *[("v3", 5)] * 5, hours=15)
    assert shell("rollback", "--reason", "complaints") == 0
    shell("status")
    assert "healthy under today's rules: v1\n" in shell.out
    assert "was itself rolled back: complaints" in shell.out


def test_status_says_how_long_a_version_served_by_its_moves(shell: Shell) -> None:
    """The history of metrics reaches back a few hours only; issue and ``diagnose`` ask the moves, too."""
    shell("promote", "v1")
    shell.world.now += 20 * DAY
    shell.versions(*[("v1", 5)] * 8, *[("v2", 5)] * 4, hours=8)
    shell("promote", "v2")
    shell.world.now += 4 * 3600
    shell("status", "--json")
    (candidate,) = shell.data()["rollback"]
    assert candidate["reason"].startswith("served 19 d 23 h"), candidate


def test_without_history_nothing_is_known_to_be_healthy(shell: Shell) -> None:
    shell("promote", "v3")
    assert shell("rollback") == 2
    assert "warning: cannot read which versions were healthy" in shell.out
    assert "mark one with --healthy" in shell.err


def test_secrets_are_masked_in_what_the_command_prints(shell: Shell) -> None:
    assert shell("promote", "v3", "--json") == 0
    assert "deploying v3 with ***" in shell.err
    assert TOKEN not in shell.out + shell.err
    assert shell.data()["state"] == "done"


def test_a_step_leaves_outputs_and_a_line_in_the_summary(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    for path in (outputs, summary):
        path.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    shell("promote", "v3", "--key", "k1")
    lines = outputs.read_text().splitlines()
    for wanted in ("done", "promote", "v3", "v2", "k1"):
        assert wanted in lines
    assert "Done: promote v3." in summary.read_text()


def test_the_key_of_a_move_is_no_secret(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Actions hand it over in a variable whose name would say otherwise; people have to read it to ask again."""
    for name in ("MW_KEY", "MODELWATCH_KEY"):
        monkeypatch.setenv(name, "60581121d5f31085.1.rollback.1")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    shell.world.wandb.inject(Fault("status", status=403, text="mutation AddAliases"))
    assert shell("promote", "v3", "--key", "60581121d5f31085.1.rollback.1") == 4
    assert "Repeat it with --key 60581121d5f31085.1.rollback.1" in shell.err
    assert shell("promote", "v3", "--key", "60581121d5f31085.1.rollback.1") == 0
    assert "60581121d5f31085.1.rollback.1" in (tmp_path / "outputs").read_text()


def test_a_version_is_registered_with_a_number(shell: Shell) -> None:
    assert shell("register", "v0", "--bump", "patch") == 0
    assert shell.world.held("candidate", "1.2.1") == {"candidate": "v0", "1.2.1": "v0"}


def test_a_retraining_logs_registers_and_is_on_record(shell: Shell) -> None:
    shell.rows(5, 5, 5)
    assert shell("retrain", "--key", "k1", "--reason", "monthly") == 0, shell.out + shell.err
    assert "Last retraining: never." in shell.out
    assert "The training logged v4." in shell.out
    assert shell.world.held("candidate", "1.3.0") == {"candidate": "v4", "1.3.0": "v4"}
    version = shell.world.registry().version("candidate")
    assert version is not None
    assert (version.data, version.run) == ("2026-09-21T00:00:00Z", "acme/train/newest")
    assert [(key, state) for key, state in shell.world.states()] == [("k1", "done"), ("k1.register", "done")]
    assert shell("retrain", "--key", "k1") == 0
    assert "Last retraining: 2026-09-21 14:13 UTC, done." in shell.out
    assert len(shell.world.states()) == 2


def test_nothing_is_trained_on_bad_data(shell: Shell) -> None:
    shell.rows(5, 5, 0, 0)
    assert shell("retrain", "--key", "k1") == 2
    assert "the data-quality alert 'rows' of churn fires: a model trained on bad data is worse" in shell.err
    (shell.world.folder / "rows.csv").unlink()
    assert shell("retrain", "--key", "k1") == 3
    assert "cannot check whether the data are sound" in shell.err
    assert shell.world.states() == []


@pytest.mark.parametrize("verb", ["rollback", "degrade"])
def test_what_was_meant_for_one_version_hits_no_other(shell: Shell, verb: str) -> None:
    """While a reviewer thought about it, somebody else put another version there."""
    assert shell("promote", "v3") == 0
    assert shell(verb, *(["v1"] if verb == "rollback" else []), "--from", "1.1.0") == 2
    assert f"{verb} was requested while 1.1.0 (v2) was in production; now 1.2.0 (v3) is" in shell.err
    assert shell.world.held()["production"] == "v3"
    assert len(shell.world.states()) == 1
    assert shell(verb, *(["v2"] if verb == "rollback" else []), "--from", "v3", "--key", "k") == 0
    assert shell(verb, *(["v2"] if verb == "rollback" else []), "--from", "v3", "--key", "k") == 0
    assert shell("rollback", "v1", "--from", "git-3f2a") == 0, "a name that W&B does not know is nobody's"


def test_degrade_restore_and_finish(shell: Shell) -> None:
    assert shell("degrade", "--reason", "nothing to go back to") == 0
    assert shell("restore") == 0
    assert shell("restore") == 0
    assert "No changes needed: the model is not degraded." in shell.out
    assert shell("finish") == 0
    assert "No move is open." in shell.out
    assert shell("finish", "--json") == 0
    assert shell.data() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("promote",), "Missing argument 'VERSION'"),
        (("promot", "v3"), "Did you mean `promote`?"),
        (("promote", "v3", "--model", "chrn"), "Did you mean `churn`?"),
        (("promote", "$(touch owned)"), "there is no version"),
    ],
)
def test_wrong_usage_is_told(shell: Shell, arguments: tuple[str, ...], told: str) -> None:
    assert shell(*arguments) == 2
    assert told in " ".join(shell.err.split())
    assert shell.world.asked("AddAliases") == 0
    assert not (shell.world.folder / "owned").exists()


def test_a_model_without_releases_is_told_what_is_missing(shell: Shell, tmp_path: Path) -> None:
    before, _, after = CONFIG.partition("    release:\n")
    rest = after[after.index("    rules:") :]
    (tmp_path / "modelwatch.yml").write_text(before + rest)
    assert shell("status", now=False) == 2
    assert "no model of this configuration has a `release:`" in shell.err
    assert shell("promote", "v3", "--model", "churn") == 2
    assert "has no `release:` in the configuration" in shell.err


def test_hostile_texts_of_w_b_are_shown_as_one_line(shell: Shell) -> None:
    state = shell.world.wandb.standin.state
    about = {"data_version": "x\n::error::owned\x1b[31m"}
    state.add_artifact("acme", "train", "churn", {"m": b"x"}, aliases=["staging"], metadata=about)
    assert shell("status", now=False) == 0
    assert not any(line.startswith("::") for line in shell.out.splitlines())
    assert "\x1b[31m" not in shell.out


def test_every_verb_of_the_model_has_a_command() -> None:
    from modelwatch.cli.release import ReleaseGroup

    verbs = {str(verb) for verb in MoveVerb} - {"abort"}
    assert verbs <= set(ReleaseGroup.table)


def test_a_closed_output_does_not_stop_a_move(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    shell.world.now += 1
    with (
        os.fdopen(writing, "w") as out,
        redirect_stdout(out),
        redirect_stderr(io.StringIO()) as err,
        pytest.raises(SystemExit) as ended,
    ):
        main(["release", "promote", "v3", "--now", str(shell.world.now)])
    assert ended.value.code == 4
    assert "the result could not be written (standard output cannot be written: it is closed" in err.getvalue()
    assert "Done: " in err.getvalue()
    assert shell("promote", "v3", "--json") == 0
    assert "already" in shell.out + shell.err


def test_format_json_is_what_json_was(shell: Shell) -> None:
    assert shell("history", "--json", now=False) == 0
    before = shell.out
    assert shell("history", "--format", "json", now=False) == 0
    assert json.loads(shell.out) == json.loads(before)
    assert shell("history", "--format", "text", now=False) == 0
    assert shell.out != before
