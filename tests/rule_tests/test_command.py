"""``modelwatch test`` as it is called."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from ..config.making import write
from .making import CONFIG, command

TESTS = """\
version: 1
tests:
  - name: slow answers open an issue
    warm_up: 2h
    series: {latency/p95: 100x1d 400x12h}
    expect:
      - {at: 23h, none: true}
      - {at: 25h, alerts: [{rule: latency}], do: issue}
  - name: "<b>nobody</b> \\u202e is paged"
    warm_up: 2h
    series: {latency/p95: 100x1d 400x12h}
    expect:
      - {at: 25h, not: page}
      - {never: latency}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, CONFIG)
    write(tmp_path, TESTS, "modelwatch-tests.yml")
    return tmp_path


def test_a_failure_is_printed_with_its_place_and_ends_with_2(folder: Path) -> None:
    found = command(folder, "test")
    assert found.returncode == 2
    assert found.stderr == "", "that a secret is not set does not matter here"
    lines = found.stdout.splitlines()
    assert lines[:3] == [
        "modelwatch-tests.yml (rules of modelwatch.yml)",
        "  ok    slow answers open an issue",
        "  FAIL  <b>nobody</b> \N{REPLACEMENT CHARACTER} is paged (modelwatch-tests.yml:9:5)",
    ]
    assert lines[3].startswith(
        "        modelwatch-tests.yml:14:9: expected latency never to fire; latency fired at 24h"
    )
    assert lines[-1].startswith("2 tests, 1 failed, in ")


def test_tests_that_pass_end_with_0(folder: Path) -> None:
    found = command(folder, "test", "--name", "SLOW")
    assert found.returncode == 0
    assert found.stdout.splitlines()[-1].startswith("1 test, none failed, in ")


def test_json_and_junit(folder: Path) -> None:
    found = command(folder, "test", "--format", "json", "--junit", "results.xml", GITHUB_ACTIONS="true")
    assert found.returncode == 2
    parsed = json.loads(found.stdout)
    assert parsed["passed"] is False
    first, second = parsed["files"][0]["tests"]
    assert (first["passed"], second["passed"]) == (True, False)
    assert [check["passed"] for check in second["checks"]] == [True, False]
    suite = ElementTree.fromstring((folder / "results.xml").read_bytes())[0]  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    failure = suite[1].find("failure")
    assert failure is not None
    assert "never to fire" in str(failure.get("message"))
    assert "what happened" in str(failure.text)
    assert found.stderr.startswith("::error file=modelwatch-tests.yml,line=14,col=9::")
    assert len(found.stderr.splitlines()) == 1


def test_a_file_names_its_configuration_or_lies_beside_it(tmp_path: Path) -> None:
    write(tmp_path, CONFIG, "fleet/churn.yml")
    path = write(tmp_path, TESTS.replace("version: 1", "version: 1\nconfig: ../fleet/churn.yml"), "tests/churn.yml")
    found = command(tmp_path, "test", str(path), "--name", "slow")
    assert found.returncode == 0, found.stderr
    assert "(rules of " in found.stdout.splitlines()[0]
    assert found.stdout.splitlines()[0].endswith("fleet/churn.yml)")
    write(tmp_path, CONFIG, "tests/modelwatch.yml")
    write(tmp_path, TESTS, "tests/churn.yml")
    assert command(tmp_path, "test", "tests/churn.yml", "--name", "slow").returncode == 0, "the one beside it"
    (tmp_path / "tests/modelwatch.yml").unlink()
    lost = command(tmp_path, "test", "tests/churn.yml")
    assert lost.returncode == 2
    assert "modelwatch.yml: there is no such file" in lost.stderr
    write(tmp_path, TESTS, "fleet/modelwatch-tests.yml")
    found = command(tmp_path, "test", "--config", "fleet", "--name", "slow")
    assert found.returncode == 0, found.stderr


def test_what_is_wrong_with_the_files_is_reported_at_once(folder: Path) -> None:
    write(folder, TESTS.replace("latency/p95", "latency/p96"), "other.yml")
    found = command(folder, "test", "other.yml", "none.yml")
    assert found.returncode == 2
    assert found.stdout == "", "nothing is run"
    assert "other.yml:5:14: no rule of churn reads `latency/p96`. Did you mean `latency/p95`?" in found.stderr
    assert "none.yml: there is no such file" in found.stderr


def test_a_configuration_that_several_files_share_is_reported_once(folder: Path) -> None:
    write(folder, TESTS, "other-modelwatch-tests.yml")
    write(folder, CONFIG.replace("above: 300", "abvoe: 300"))
    found = command(folder, "test")
    assert found.returncode == 2
    assert found.stderr.count("abvoe") == 1


def test_nothing_to_run_is_no_success(tmp_path: Path) -> None:
    write(tmp_path, CONFIG)
    found = command(tmp_path, "test")
    assert found.returncode == 2
    assert "there is no file of rule tests" in found.stderr
    write(tmp_path, TESTS, "modelwatch-tests.yml")
    found = command(tmp_path, "test", "--name", "fast")
    assert found.returncode == 2
    assert "no test has 'fast' in its name" in found.stderr


def test_the_schema_accepts_what_is_read(tmp_path: Path) -> None:
    schema = json.loads(command(tmp_path, "test", "--print", "schema").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(yaml.safe_load(TESTS))
    wrong = yaml.safe_load(TESTS.replace("warm_up: 2h", "warmup: 2h"))
    assert list(validator.iter_errors(wrong))


def test_many_tests_run_in_several_processes_and_give_the_same(folder: Path) -> None:
    head, _, body = TESTS.partition("tests:\n")
    tests = "".join(body.replace('"<b>', f'"{n} <b>').replace("slow", f"{n} slow") for n in range(10))
    write(folder, f"{head}tests:\n{tests}", "modelwatch-tests.yml")
    side_by_side, alone = (command(folder, "test", "--format", "json", "--jobs", jobs) for jobs in ("2", "1"))
    assert side_by_side.returncode == alone.returncode == 2
    found, known = (json.loads(ran.stdout)["files"][0]["tests"] for ran in (side_by_side, alone))
    assert len(found) == 20
    assert [dict(test, seconds=0) for test in found] == [dict(test, seconds=0) for test in known]


def test_processes_start_where_an_action_launches_the_command(folder: Path) -> None:
    """Each of them imports the script that was launched, which must not begin anew."""
    head, _, body = TESTS.partition("tests:\n")
    tests = "".join(body.replace("slow", f"{n} slow").replace("nobody", f"{n} nobody") for n in range(10))
    write(folder, f"{head}tests:\n{tests}", "modelwatch-tests.yml")
    script = Path(__file__).resolve().parents[2] / "actions/_lib/launch.py"
    ran = subprocess.run(
        [sys.executable, "-I", str(script), "test", "--jobs", "2"],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
    )
    assert ran.stdout.count("slow answers open an issue") == 10
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("20 tests, 10 failed")


def test_only_the_tests_of_a_model(folder: Path) -> None:
    other = CONFIG.partition("models:\n")[2].replace("name: churn", "name: fraud")
    write(folder, CONFIG + other)
    write(folder, TESTS.replace("    warm_up", "    model: churn\n    warm_up"), "modelwatch-tests.yml")
    assert command(folder, "test", "--model", "churn").stdout.splitlines()[-1].startswith("2 tests, 1 failed")
    none = command(folder, "test", "--model", "fraud")
    assert (none.returncode, none.stdout.splitlines()[-1].partition(",")[0]) == (0, "0 tests")
    wrong = command(folder, "test", "--model", "frad")
    assert (wrong.returncode, "Did you mean `fraud`?" in wrong.stderr) == (2, True)


def test_results_that_cannot_be_written(folder: Path) -> None:
    found = command(folder, "test", "--name", "slow", "--junit", "none/results.xml")
    assert found.returncode == 2
    assert "none/results.xml: the results cannot be written" in found.stderr
