"""A suggestion becomes a patch that changes one value and nothing else, or a sentence that says what to do by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from modelwatch.backtest.config_patch import make_patch, write_files
from modelwatch.config.loader import load_config
from modelwatch.errors import UserError
from modelwatch.model.tuning import Setting, SettingChange, Suggestion

HEAD = """\
# watched since 2025
version: 1
models:
  - name: churn   # the first
    owner: "@acme/ml"
    wandb: {entity: acme, project: churn}
    workflows: {retrain: retrain.yml}
    rules:
"""
FLOW = """\
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy  # the key
        weight: eval/n
        window: 24h
        baseline: {rolling: 28d}
        tiers:
          warning:  {drop: 2%,  do: [issue, retrain]}   # mild
          error:    {drop: 5%,  do: [issue]}
"""
BLOCK = """\
      # what follows is measured

      - kind: accuracy-drop
        # its name
        name: accuracy
        metric: eval/accuracy
        baseline:
          rolling: 28d
        tiers:
          warning:
            # agreed in May
            drop: '2%' # mild
            do:
            - issue
"""
DROP = SettingChange(("tiers", "warning", "drop"), "2%", "1.3%")
CHART = SettingChange(("tiers", "warning", "chart"), "", "{cusum: {shift: 0.5}}")
WINDOW = SettingChange(("window",), "24h", "12h")


def suggestion(path: Path, *changes: SettingChange, model: int = 0, rule: int = 0) -> Suggestion:
    """One for a rule of the configuration at ``path``."""
    own = load_config(path, {}).models[model]
    found = own.rules[rule]
    return Suggestion(own.name, found.name, found.where, None, (), "", chosen=Setting(found, changes))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "modelwatch.yml"
    path.write_bytes(text.encode())
    return path


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went, and lines that came."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("text", "changes", "went", "came"),
    [
        (
            HEAD + FLOW,
            (DROP,),
            ["          warning:  {drop: 2%,  do: [issue, retrain]}   # mild"],
            ["          warning:  {drop: 1.3%,  do: [issue, retrain]}   # mild"],
        ),
        (
            HEAD + FLOW,
            (CHART, WINDOW),
            ["        window: 24h", "          warning:  {drop: 2%,  do: [issue, retrain]}   # mild"],
            [
                "        window: 12h",
                "          warning:  {drop: 2%,  chart: {cusum: {shift: 0.5}}, do: [issue, retrain]}   # mild",
            ],
        ),
        (HEAD + BLOCK, (DROP,), ["            drop: '2%' # mild"], ["            drop: 1.3% # mild"]),
        (HEAD + BLOCK, (CHART,), [], ["            chart: {cusum: {shift: 0.5}}"]),
        (HEAD + BLOCK, (WINDOW,), [], ["        window: 12h"]),
        (HEAD + FLOW.rstrip("\n"), (DROP,), [FLOW.splitlines()[-2]], [FLOW.splitlines()[-2].replace("2%", "1.3%")]),
        (HEAD + BLOCK.replace("drop:", '"drop":'), (DROP,), ["            \"drop\": '2%' # mild"], None),
    ],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_patch_changes_one_value_and_git_applies_it(
    tmp_path: Path,
    text: str,
    changes: tuple[SettingChange, ...],
    went: list[str],
    came: list[str] | None,
    line_break: str,
    mark: str,
) -> None:
    text = mark + text.replace("\n", line_break)
    path = write(tmp_path, text)
    patch = make_patch([suggestion(path, *changes)])
    assert patch.by_hand == ()
    after = patch.files[0].after.decode()
    assert after.count("\n") - after.count("\r\n") == (0 if line_break == "\r\n" else after.count("\n"))
    assert changed_lines(text, after)[0] == went
    assert came is None or changed_lines(text, after)[1] == came
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-"], input=patch.diff.encode(), cwd=tmp_path, check=True)
    assert path.read_bytes() == patch.files[0].after
    rule = load_config(path, {}).models[0].rules[0]
    by_key = {"drop": rule.tiers[0].limits[0].value == 0.013, "window": rule.window == 43_200.0}
    by_key["chart"] = rule.tiers[0].chart is not None and rule.tiers[0].chart.shift == 0.5
    assert all(by_key[change.path[-1]] for change in changes)


SHARED = (
    HEAD
    + FLOW.replace("warning:  {drop", "warning: &mild {drop")
    + FLOW.replace("accuracy\n        kind", "other\n        kind").replace(
        "warning:  {drop: 2%,  do: [issue, retrain]}", "warning: *mild"
    )
)
DEFAULTS = (
    HEAD.replace("models:", "defaults: {rule: {tiers: {warning: {drop: 2%}}}}\nmodels:") + FLOW.partition("tiers:")[0]
)
FOLDED = HEAD + FLOW.replace("window: 24h", 'window: "24\\\n          h"')


@pytest.mark.parametrize(
    ("text", "change", "reason"),
    [
        (SHARED, DROP, "its `warning` is shared with other places by an alias"),
        (DEFAULTS.rstrip(" "), DROP, "its `tiers` comes from defaults or from a merge key"),
        (HEAD + FLOW.replace("24h", "&day 24h"), WINDOW, "its `window` has an anchor or a tag"),
        (FOLDED, WINDOW, "its `window` is not a value on one line"),
    ],
)
def test_what_a_place_does_not_own_is_left_to_people(
    tmp_path: Path, text: str, change: SettingChange, reason: str
) -> None:
    path = write(tmp_path, text)
    patch = make_patch([suggestion(path, change)])
    assert patch.files == ()
    assert patch.diff == ""
    (advice,) = patch.by_hand
    assert advice.startswith(f"{path}:")
    assert advice.endswith(f"by hand to `{'.'.join(change.path)}: {change.after}`: {reason}.")


def test_an_inherited_value_is_stated_in_the_rule(tmp_path: Path) -> None:
    text = HEAD.replace("models:", "defaults: {rule: {window: 6h}}\nmodels:") + FLOW.replace(
        "        window: 24h\n", ""
    )
    path = write(tmp_path, text)
    patch = make_patch([suggestion(path, WINDOW)])
    assert changed_lines(text, patch.files[0].after.decode()) == ([], ["        window: 12h"])


def test_several_rules_of_several_files_make_one_patch(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    folder = tmp_path / "models of ours"
    folder.mkdir()
    text = HEAD + FLOW + FLOW.replace("name: accuracy", "name: other")
    for name in ("a", "b"):
        (folder / f"{name}.yml").write_text(text.replace("churn", name))
    places = [(0, 0), (0, 1), (1, 1)]
    patch = make_patch([suggestion(folder, DROP, model=model, rule=rule) for model, rule in places])
    assert [file.path.name for file in patch.files] == ["a.yml", "b.yml"]
    subprocess.run(["git", "apply", "-"], input=patch.diff.encode(), cwd=tmp_path, check=True)
    models = load_config(folder, {}).models
    values = [[rule.tiers[0].limits[0].value for rule in model.rules] for model in models]
    assert values == [[0.013, 0.013], [0.02, 0.013]]


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + FLOW)
    patch = make_patch([suggestion(path, DROP)])
    write(tmp_path, HEAD + FLOW + "# more\n")
    with pytest.raises(UserError, match="changed while"):
        write_files(patch)
    write(tmp_path, HEAD + FLOW)
    write_files(patch)
    assert path.read_bytes() == patch.files[0].after
