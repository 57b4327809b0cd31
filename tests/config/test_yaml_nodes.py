"""YAML itself: what is no YAML is one paragraph with its place, and no file can hurt."""

from __future__ import annotations

import pytest

from modelwatch.config.yaml_nodes import MAX_BYTES, MappingNode, ScalarNode, SequenceNode, parse_yaml
from modelwatch.errors import ConfigError


def problem(data: bytes | str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(data if isinstance(data, bytes) else data.encode(), "f.yml")
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "f.yml:1:1: the file is empty. `modelwatch init` writes one to start from."),
        ("# nothing\n", "f.yml:1:1: the file is empty. `modelwatch init` writes one to start from."),
        ("a:\n\t- x\n", "f.yml:2:1: a tab. YAML indents with spaces."),
        ("a:\n  b: 1\n c: 2\n", "f.yml:3:2: this line does not fit the indentation of the lines above."),
        ("a: [1,\nb: 2\n", "f.yml:3:1: a `[` is not closed before here (opened in line 1)."),
        ("a: {b: 1\n", "f.yml:2:1: a `{` is not closed before here (opened in line 1)."),
        ("a: 1\nb: 'x\n\n\n", "f.yml:2:4: a quote is opened here and never closed."),
        ("owner: @ana\n", "f.yml:1:8: a value cannot start with `@`. Put it in quotes."),
        ("x: `y`\n", "f.yml:1:4: a value cannot start with ```. Put it in quotes."),
        ("x: %y\n", "f.yml:1:4: a value cannot start with `%`. Put it in quotes."),
        (
            "a: b: c\n",
            (
                "f.yml:1:5: a second `:` where none can stand. "
                "Put text that holds `: ` in quotes, and check the indentation of this line."
            ),
        ),
        ("a: *b\n", "f.yml:1:4: this alias has no anchor above it."),
        ("a: &b [1, *b]\n", "f.yml:1:11: this alias refers to itself."),
        ("a: 1\n---\nb: 2\n", "f.yml:2:1: a second document starts here. Keep one document (`---`) a file."),
        ("a: !env X\n", "f.yml:1:4: YAML tags such as `!x` or `!!int` have no meaning here. Remove the tag."),
        ("a: !x {b: 1}\n", "f.yml:1:4: YAML tags such as `!x` have no meaning here. Remove the tag."),
        ("é: 1\nb: \x07\n", "f.yml:2:4: a control character (U+0007). Remove it."),
        (b"a: 1\nbc: \xe9\n", "f.yml:2:5: not UTF-8 text. Save the file as UTF-8."),
    ],
)
def test_what_is_no_yaml(text: bytes | str, told: str) -> None:
    assert problem(text) == told


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "{a: " * 100_000, "? " * 200_000])
def test_deep_nesting_ends_early(text: str) -> None:
    assert "nested more than 50 deep" in problem(text)


def test_aliases_that_multiply_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too large once its aliases are expanded" in problem("\n".join(lines))


def test_a_chain_of_aliases_is_bounded() -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 2_000)]
    assert "too large once its aliases are expanded" in problem("\n".join(lines))


def test_a_large_file_is_refused_unread() -> None:
    told = problem(b"a" * (MAX_BYTES + 1))
    assert told.startswith("f.yml:1:1: the file has 1,000,001 bytes; at most 1,000,000 are read.")


def test_the_snippet_of_a_syntax_error_is_left_out() -> None:
    assert "hunter2" not in problem("token: 'hunter2\n")
    assert "hunter2" not in problem("token: hunter2: x\n")


def test_scalars_stay_text_and_know_their_place() -> None:
    root = parse_yaml("\ufeff# top\na: no\nb: [012, '', ~, !!str null]\n".encode(), "f.yml")
    assert isinstance(root, MappingNode)
    (_, first), (key, second) = root.pairs
    assert isinstance(first, ScalarNode)
    assert (first.text, first.line, first.column) == ("no", 2, 4)
    assert (key.line, key.column) == (3, 1)
    assert isinstance(second, SequenceNode)
    scalars = [item for item in second.items if isinstance(item, ScalarNode)]
    assert [(item.text, item.is_null) for item in scalars] == [
        ("012", False),
        ("", False),
        ("~", True),
        ("null", False),
    ]


def test_an_alias_stands_for_the_newest_anchor() -> None:
    root = parse_yaml(b"a: &x 1\nb: &x 2\nc: *x\n", "f.yml")
    assert isinstance(root, MappingNode)
    assert root.pairs[2][1] is root.pairs[1][1]
