"""``${NAME}``, the dotenv text of a fleet, and that no message shows a secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.config.loader import load_config
from modelwatch.config.secrets import Vault, parse_dotenv
from modelwatch.errors import ConfigError

from .making import KEY, RULE, load, write

DOTENV = """\
# keys of the fleet
A=plain value # not this
export B='single # this $HOME'
C="two\\nlines \\"quoted\\"" # comment
D="over
two lines"

E = spaced
F=
G=with#hash
H='' # nothing
A_2=x=y
"""


def test_a_dotenv_text() -> None:
    values, bad = parse_dotenv(DOTENV)
    assert bad == []
    assert values == {
        "A": "plain value",
        "B": "single # this $HOME",
        "C": 'two\nlines "quoted"',
        "D": "over\ntwo lines",
        "E": "spaced",
        "F": "",
        "G": "with#hash",
        "H": "",
        "A_2": "x=y",
    }


def test_windows_line_ends_and_a_name_given_twice() -> None:
    assert parse_dotenv("A=1\r\nB=2\r\nA=3") == ({"A": "3", "B": "2"}, [])


def test_lines_that_are_none_are_counted_not_shown() -> None:
    values, bad = parse_dotenv('A=1\nhunter2\nB="never closed\nC=3\n')
    assert (values, bad) == ({"A": "1", "C": "3"}, [2, 3])
    with pytest.raises(ConfigError) as caught:
        load_config(Path("nowhere.yml"), {"MODELWATCH_SECRETS": "A=1\nhunter2\n"})
    assert str(caught.value.problems[0]) == (
        "MODELWATCH_SECRETS, line 2: not a `NAME=value` line. Values can be quoted."
    )


@given(st.text(max_size=60))
def test_any_text_is_read_as_dotenv(text: str) -> None:
    values, bad = parse_dotenv(text)
    assert len(bad) <= text.count("\n") + 1
    assert all(name.isidentifier() for name in values)


def test_incidents_are_looked_up_with_the_usual_token_where_no_other_is_named(tmp_path: Path) -> None:
    def token(env: Mapping[str, str], pagerduty: str) -> str:
        of = f"{{name: m, table: {{path: t.csv}}, pagerduty: {{{pagerduty}}}, rules: [{RULE}]}}"
        model = load(tmp_path, f"version: 1\nmodels: [{of}]\n", env).models[0]
        return model.pagerduty.token.reveal() if model.pagerduty.token else ""

    usual = {"PAGERDUTY_TOKEN": "u+usual", "OTHER": "u+other", "KEY": "k" * 32}
    assert token(usual, 'routing_key: "${KEY}"') == "u+usual"
    assert token(usual, 'routing_key: "${KEY}", token: "${OTHER}"') == "u+other"
    assert (
        token({"MODELWATCH_SECRETS": "PAGERDUTY_TOKEN=u+fleet", "KEY": "k" * 32}, 'routing_key: "${KEY}"') == "u+fleet"
    )
    assert token({"KEY": "k" * 32}, 'routing_key: "${KEY}"') == ""
    assert token(usual, "service: s") == "", "nothing is paged, so nothing is looked up"


def test_the_environment_wins_over_the_fleet_and_empty_is_missing() -> None:
    vault = Vault({"A": "env", "B": "", "MODELWATCH_SECRETS": "A=fleet\nB=fleet\n"})
    assert (vault.find("A"), vault.find("B"), vault.find("C")) == ("env", "fleet", None)


def test_everything_that_must_be_masked_is_listed() -> None:
    vault = Vault({"GITHUB_TOKEN": "g" * 20, "READ": "r\n", "MODELWATCH_SECRETS": "LONG=long-enough\nENV=prod\n"})
    assert vault.secret("READ") is not None
    assert {secret.name: secret.reveal() for secret in vault.all_secrets()} == {
        "GITHUB_TOKEN": "g" * 20,
        "LONG": "long-enough",
        "READ": "r",
    }


PAGING = """\
version: 1
models:
  - name: m
    wandb: {{entity: e, project: p}}
    pagerduty: {{routing_key: {key}}}
    rules: [{rule}]
"""


@pytest.mark.parametrize(
    "key", [KEY, f'"{KEY}"', f"x${{K}}{KEY}", f"[{KEY}]", f"{{{KEY}: 1}}", f"${KEY}", f"${{{{ {KEY} }}}}"]
)
def test_a_secret_in_the_file_is_a_problem_that_never_shows_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, PAGING.format(key=key, rule=RULE), {"K": "k"})
    assert KEY not in "".join(f"{problem}{problem.hint}" for problem in caught.value.problems)


@pytest.mark.parametrize("old", ["latency", "1}}", "name: m", "above", "warning", "entity: e", "- name", "version: 1"])
def test_a_known_secret_pasted_anywhere_is_never_shown(tmp_path: Path, old: str) -> None:
    short = "s3cret-x"
    text = PAGING.format(key='"${PAGERDUTY_ROUTING_KEY}"', rule=RULE).replace(
        old, f"{short}: {short}" if old == "- name" else short
    )
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            text.replace("e, ", "e, unknown: 1, "),
            {"PAGERDUTY_ROUTING_KEY": short, "MODELWATCH_SECRETS": f"X={short}"},
        )
    assert short not in str(caught.value)


def test_a_line_break_after_a_pasted_secret_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, PAGING.format(key='"${K}"', rule=RULE))
    found = load_config(path, {"K": f"{KEY}\n"}).models[0].pagerduty.routing_key
    assert found is not None
    assert found.reveal() == KEY
    assert KEY not in f"{found!r} {found}"


def test_text_is_filled_in_and_messages_show_it_as_written(tmp_path: Path) -> None:
    text = f"version: 1\nmodels: [{{name: m, wandb: {{entity: 'team-${{T}}', project: p}}, rules: [{RULE}]}}]\n"
    wandb = load(tmp_path, text, {"T": "x"}).models[0].wandb
    assert wandb is not None
    assert wandb.entity == "team-x"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text.replace("name: m", "name: '${T}'"), {"T": "not a name"})
    assert "not a name" not in str(caught.value).replace("is not a name", "")
    assert "`${T}`" in str(caught.value)
