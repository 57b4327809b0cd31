"""Artifacts and their aliases, with the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn


@pytest.fixture(scope="module")
def server(wandb_loopback: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server[WandbStandIn]]:
    with wandb_loopback(tmp_path_factory.mktemp("wandb")) as server:
        yield server


@pytest.fixture
def api(server: Server[WandbStandIn]) -> Any:
    import wandb

    server.clear()
    return wandb.Api()


def seeded(server: Server[WandbStandIn], name: str, versions: int = 3) -> None:
    for number in range(versions):
        server.standin.state.add_artifact(
            "acme",
            "churn",
            name,
            {"model.bin": f"weights {number}".encode(), "deep/notes.txt": b"notes"},
            aliases=["champion"] if number == 0 else [],
            metadata={"accuracy": 0.9 + number / 100},
        )


def aliases(server: Server[WandbStandIn], name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = server.standin.snapshot()["acme/churn"]["artifacts"][name]
    return found


def test_a_logged_artifact_comes_back(server: Server[WandbStandIn], tmp_path: Path) -> None:
    import wandb

    (tmp_path / "model.bin").write_bytes(b"weights")
    with wandb.init(entity="acme", project="churn", id="trainer") as run:
        for accuracy in (0.9, 0.95):
            artifact = wandb.Artifact("logged", "model", metadata={"accuracy": accuracy}, description="a model")
            artifact.add_file(str(tmp_path / "model.bin"), name="weights/model.bin")
            with artifact.new_file("card.md") as card:
                card.write(f"accuracy {accuracy}")
            run.log_artifact(artifact, aliases=["candidate"]).wait()
    api = wandb.Api()
    found = api.artifact("acme/churn/logged:candidate")
    assert (found.version, sorted(found.aliases), found.type) == ("v1", ["candidate", "latest"], "model")
    assert (found.metadata, found.description) == ({"accuracy": 0.95}, "a model")
    folder = Path(api.artifact("acme/churn/logged:v0").download(str(tmp_path / "down")))
    assert (folder / "weights" / "model.bin").read_bytes() == b"weights"
    assert (folder / "card.md").read_text() == "accuracy 0.9"
    assert [one.version for one in api.run("acme/churn/trainer").logged_artifacts()] == ["v0", "v1"]
    maker = found.logged_by()
    assert maker is not None
    assert maker.id == "trainer"


def test_the_same_content_again_makes_no_new_version(server: Server[WandbStandIn]) -> None:
    import wandb

    with wandb.init(entity="acme", project="churn", id="same") as run:
        for alias in ("first", "second"):
            artifact = wandb.Artifact("same", "model")
            with artifact.new_file("a.txt") as file:
                file.write("same")
            run.log_artifact(artifact, aliases=[alias]).wait()
    assert aliases(server, "same") == {"v0": ["first", "latest", "second"]}


def test_versions_are_listed_newest_first_and_in_pages(server: Server[WandbStandIn], api: Any) -> None:
    seeded(server, "many", 7)
    found = list(api.artifacts("model", "acme/churn/many", per_page=3))
    assert [one.version for one in found] == [f"v{number}" for number in range(6, -1, -1)]
    assert sum("query ProjectArtifacts " in one.body.decode() for one in server.requests) == 3
    assert found[-1].metadata == {"accuracy": 0.9}


def test_an_alias_moves_from_one_version_to_another(server: Server[WandbStandIn], api: Any) -> None:
    seeded(server, "moving")
    newest = api.artifact("acme/churn/moving:latest")
    newest.aliases.append("champion")
    newest.save()
    assert aliases(server, "moving") == {"v0": [], "v1": [], "v2": ["champion", "latest"]}
    champion = api.artifact("acme/churn/moving:champion")
    assert champion.version == "v2"
    champion.aliases.remove("champion")
    champion.save()
    assert aliases(server, "moving")["v2"] == ["latest"]
    with pytest.raises(Exception, match="champion"):
        api.artifact("acme/churn/moving:champion")


def test_saving_writes_the_whole_metadata_back(server: Server[WandbStandIn], api: Any) -> None:
    import wandb

    seeded(server, "stale", 1)
    mine, other = api.artifact("acme/churn/stale:v0"), wandb.Api().artifact("acme/churn/stale:v0")
    mine.metadata["mine"] = 1
    mine.save()
    other.metadata["other"] = 2
    other.save()
    assert wandb.Api().artifact("acme/churn/stale:v0").metadata == {"accuracy": 0.9, "other": 2}


def test_an_alias_move_whose_answer_is_lost_took_effect(server: Server[WandbStandIn], api: Any) -> None:
    seeded(server, "lost")
    artifact = api.artifact("acme/churn/lost:v1")
    fault = server.inject(Fault("drop", "after", text="mutation AddAliases"))
    artifact.aliases.append("champion")
    artifact.save()
    assert fault.strike_count == 1
    assert aliases(server, "lost")["v1"] == ["champion"]
    assert aliases(server, "lost")["v0"] == []


def test_used_artifacts(server: Server[WandbStandIn]) -> None:
    import wandb

    seeded(server, "used", 1)
    with wandb.init(entity="acme", project="churn", id="user") as run:
        run.use_artifact("used:champion")
    api = wandb.Api()
    assert [one.name for one in api.run("acme/churn/user").used_artifacts()] == ["used:v0"]
    assert [one.id for one in api.artifact("acme/churn/used:v0").used_by()] == ["user"]


def test_a_registry_holds_links_with_versions_and_aliases_of_their_own(server: Server[WandbStandIn], api: Any) -> None:
    seeded(server, "linked")
    for number in (2, 0):
        linked = api.artifact(f"acme/churn/linked:v{number}").link("acme/wandb-registry-model/linked", ["staging"])
        assert linked.is_link
    path = "acme/wandb-registry-model/linked"
    found = list(api.artifacts("model", path))
    assert [(one.name, one.source_version, sorted(one.aliases)) for one in found] == [
        ("linked:v1", "v0", ["latest", "staging"]),
        ("linked:v0", "v2", []),
    ]
    found[1].aliases.append("production")
    found[1].save()
    assert api.artifact(f"{path}:production").source_version == "v2"
    assert server.standin.snapshot()["acme/wandb-registry-model"]["artifacts"]["linked"]["v0"] == ["production"]
    assert aliases(server, "linked") == {"v0": ["champion"], "v1": [], "v2": ["latest"]}


def test_a_version_is_deleted(server: Server[WandbStandIn], api: Any) -> None:
    seeded(server, "gone", 2)
    api.artifact("acme/churn/gone:v1").delete(delete_aliases=True)
    assert list(aliases(server, "gone")) == ["v0"]


def test_what_is_missing_is_told(api: Any) -> None:
    with pytest.raises(Exception, match="nothing"):
        api.artifact("acme/churn/nothing:latest")


def test_nothing_was_asked_that_the_stand_in_does_not_know(server: Server[WandbStandIn]) -> None:
    assert server.standin.unknown_requests == []
