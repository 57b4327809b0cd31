"""The configuration of a git ref, with real git: what is read, what is refused, and that nothing is checked out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelwatch.backtest.git_ref import NoConfigurationError, load_config_at
from modelwatch.errors import ConfigError, UserError
from modelwatch.model.monitored_model import Config

CONFIG = """\
version: 1
models:
  - name: NAME
    table: {path: data/metrics.csv}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        baseline: BASELINE
        tiers: {warning: {drop: 2%}}
"""
BASELINE = {"format": 1, "entries": [{"name": "eval/accuracy", "labels": [], "value": 0.9, "n": 5000}]}


def yaml(baseline: str = "{file: baselines/churn.json}", name: str = "churn") -> str:
    return CONFIG.replace("NAME", name).replace("BASELINE", baseline)


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        done = subprocess.run(["git", *identity, *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, files: Mapping[str, str] | None = None) -> None:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")

    def load(self, ref: str, tmp_path: Path, config: str = "modelwatch.yml") -> Config:
        folder = tmp_path / "extracted"
        folder.mkdir()
        return load_config_at(self.folder / config, ref, folder, dict(os.environ))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_a_file_and_its_baseline_are_those_of_the_ref(repository: Repository, tmp_path: Path) -> None:
    repository.commit(
        {"modelwatch.yml": yaml(), "baselines/churn.json": json.dumps(BASELINE), "data/metrics.csv": "time"}
    )
    changed = json.dumps(BASELINE).replace("0.9", "0.5")
    repository.write({"modelwatch.yml": yaml("{value: 0.7}"), "baselines/churn.json": changed})
    before = repository.git("status", "--porcelain")
    config = repository.load("main", tmp_path)
    (entry,) = config.models[0].rules[0].baseline.entries
    assert entry.value == 0.9
    table = config.models[0].table
    assert table is not None
    assert table.path == str(repository.folder / "data/metrics.csv")  # data stays where it is
    assert config.models[0].where.startswith(str(repository.folder / "modelwatch.yml"))
    assert repository.git("status", "--porcelain") == before
    assert repository.git("branch", "--show-current") == "main\n"


def test_a_folder_in_a_folder_whose_baselines_lie_beside_it(repository: Repository, tmp_path: Path) -> None:
    files = {
        "ops/models/a.yml": yaml("{file: ../baselines/churn.json}", "a"),
        "ops/models/b.yml": yaml("{value: 0.9}", "b"),
        "ops/models/annotations.yml": "- {at: 2026-11-05, text: a campaign}\n",
        "ops/models/sub/c.yml": "not ours",
        "ops/baselines/churn.json": json.dumps(BASELINE),
    }
    repository.commit(files)
    repository.git("tag", "v1")
    (repository.folder / "ops/models/b.yml").unlink()
    config = repository.load("v1", tmp_path, "ops/models")
    assert [model.name for model in config.models] == ["a", "b"]
    assert sorted(path.name for path in (tmp_path / "extracted").rglob("*") if path.is_file()) == [
        "a.yml", "annotations.yml", "b.yml", "churn.json",
    ]  # fmt: skip


def test_another_place_at_the_ref(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"old.yml": yaml("{value: 0.9}", "old")})
    repository.commit({"models/new.yml": yaml("{value: 0.9}", "new")})
    assert repository.load("HEAD~1:old.yml", tmp_path, "models").models[0].name == "old"


@pytest.mark.parametrize(
    "ref",
    ["--upload-pack=touch x", "-h", "", "no-such-branch", "main..main", "main\nx", "x" * 300, "HEAD^{tree}", ":x"],
)
def test_hostile_and_wrong_refs(repository: Repository, tmp_path: Path, ref: str) -> None:
    repository.commit({"modelwatch.yml": yaml("{value: 0.9}")})
    with pytest.raises(UserError) as caught:
        repository.load(ref, tmp_path)
    assert not isinstance(caught.value, ConfigError)
    assert "ref" in caught.value.message
    assert not (repository.folder / "x").exists()


def test_a_ref_without_the_configuration(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"README": "x"})
    repository.write({"modelwatch.yml": yaml("{value: 0.9}")})
    with pytest.raises(NoConfigurationError, match=r"main has no configuration at modelwatch\.yml"):
        repository.load("main", tmp_path)


def test_a_broken_configuration_has_the_place_that_people_know(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"modelwatch.yml": yaml("{value: 0.9}").replace("metric:", "metrik:")})
    with pytest.raises(ConfigError) as caught:
        repository.load("main", tmp_path)
    assert any(problem.where.startswith("main:modelwatch.yml:8:") for problem in caught.value.problems)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret.json", "real.json"])
def test_a_symbolic_link_is_not_followed(repository: Repository, tmp_path: Path, target: str) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(BASELINE))
    repository.write({"modelwatch.yml": yaml(), "baselines/real.json": json.dumps(BASELINE)})
    (repository.folder / "baselines/churn.json").symlink_to(target)
    repository.commit()
    with pytest.raises(ConfigError, match=r"baselines/churn\.json is a symbolic link"):
        repository.load("main", tmp_path)
    assert not (tmp_path / "extracted/baselines").exists()


def test_a_folder_that_is_a_symbolic_link_is_not_followed(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/churn.json").write_text(json.dumps(BASELINE))
    (repository.folder / "baselines").symlink_to(tmp_path / "outside")
    repository.commit({"modelwatch.yml": yaml()})
    with pytest.raises(ConfigError, match="baselines is a symbolic link"):
        repository.load("main", tmp_path)


def test_a_configuration_that_is_a_symbolic_link(repository: Repository, tmp_path: Path) -> None:
    repository.write({"real.yml": yaml("{value: 0.9}")})
    (repository.folder / "modelwatch.yml").symlink_to("real.yml")
    repository.commit()
    with pytest.raises(UserError, match="symbolic link"):
        repository.load("main", tmp_path)


@pytest.mark.parametrize("path", ["../churn.json", "/churn.json", "a/../../churn.json"])
def test_a_baseline_outside_of_the_repository(repository: Repository, tmp_path: Path, path: str) -> None:
    (tmp_path / "churn.json").write_text(json.dumps(BASELINE))
    repository.commit({"modelwatch.yml": yaml(f"{{file: {path}}}")})
    with pytest.raises(UserError, match="outside of the repository") as caught:
        repository.load("main", tmp_path)
    assert caught.value.where == "main:modelwatch.yml:9:26"


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / "modelwatch.yml").write_text(yaml("{value: 0.9}"))
    (tmp_path / "extracted").mkdir()
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    with pytest.raises(UserError, match="not a git repository"):
        load_config_at(tmp_path / "modelwatch.yml", "main", tmp_path / "extracted", env)


def test_the_environment_does_not_point_git_elsewhere(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"modelwatch.yml": yaml("{value: 0.9}")})
    other = Repository(tmp_path / "other")
    other.commit({"modelwatch.yml": yaml("{value: 0.9}", "other")})
    folder = tmp_path / "extracted"
    folder.mkdir()
    env = {**os.environ, "GIT_DIR": str(other.folder / ".git")}
    assert load_config_at(repository.folder / "modelwatch.yml", "main", folder, env).models[0].name == "churn"


def test_no_filter_of_the_repository_runs(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "filter.evil.smudge", f"touch {tmp_path}/ran; cat")
    repository.git("config", "filter.evil.clean", "cat")
    repository.commit({"modelwatch.yml": yaml("{value: 0.9}"), ".gitattributes": "*.yml filter=evil\n"})
    repository.load("main", tmp_path)
    assert not (tmp_path / "ran").exists()
