"""``modelwatch annotate``: one line, and every page shows it."""

from __future__ import annotations

from .world import World


def test_what_happened_is_appended_once(world: World) -> None:
    found = world.run("annotate", "New  prices", "--model", "churn", "--at", "2026-11-20T10:00:00Z", "--by", "ada")
    assert found.code == 0
    assert "added for churn at 2026-11-20T10:00:00Z. Commit the file" in found.out
    again = world.run("annotate", "New prices", "--model", "churn", "--at", "2026-11-20T10:00:00Z", "--by", "ada")
    assert "No changes needed." in again.out
    text = world.read("annotations.yml")
    assert text.endswith('- at: 2026-11-20T10:00:00Z\n  models: ["churn"]\n  text: "New prices"\n  by: "ada"\n')
    assert text.count("New prices") == 1


def test_slips_change_nothing(world: World) -> None:
    slips = {
        ("annotate", "x", "--model", "chrn"): "Did you mean `churn`?",
        ("annotate", "x", "--at", "2026-11-20", "--until", "2026-11-19"): "it ends before it begins",
        ("annotate", " "): "the text has 0 characters",
        ("annotate", "x", "--url", "javascript:alert(1)"): "the new entry:",
        ("annotate", "x" * 201): "the text has 201 characters",
    }
    for arguments, text in slips.items():
        found = world.run(*arguments)
        assert found.code == 2
        assert text in " ".join((found.out + found.err).split())
        assert not (world.folder / "annotations.yml").exists()


def test_a_file_that_cannot_be_read_is_not_made_longer(world: World) -> None:
    world.write("annotations.yml", "- at: never\n")
    found = world.run("annotate", "x")
    assert (found.code, world.read("annotations.yml")) == (2, "- at: never\n")
    assert "annotations.yml:1:" in found.out + found.err


def test_an_incident_has_an_end_and_is_marked(world: World) -> None:
    ran = world.run("annotate", "a bad import", "--incident", "--at", "2026-11-05")
    assert ran.code == 2
    assert "an incident has an end" in ran.err
    words = (
        "annotate",
        "a bad import",
        "--incident",
        "--at",
        "2026-11-05",
        "--until",
        "2026-11-06",
        "--model",
        "churn",
    )
    assert world.run(*words).code == 0
    assert "  incident: true\n" in world.read("annotations.yml")
