"""Check runbook pages: commands, comments, links, sections, decision tables, and the phrases that they quote."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..config.templates import render_starter_files
from ..errors import Exit
from ..model.register import DispatchState
from ..targets.issues.observe import parse_commands
from ..targets.plan import COMMAND_LIST
from ..targets.workflows.proposals import WORKFLOW_VERBS
from .page import (
    CODE_SPAN,
    INDEX_FILE,
    NON_PAGE_FILES,
    PLACEHOLDER,
    SECTIONS,
    TABLE_COLUMNS,
    RunbookPage,
    decision_rows,
    fill_placeholders,
    read_page,
    read_placeholders,
)

if TYPE_CHECKING:
    import click


OTHER_PROGRAMS = frozenset({"export", "jq"})
"""Programs besides modelwatch and gh; their arguments are not checked."""

_SILENCE_ARGUMENT = re.compile(r"\d{1,6}[mhdw] \S.*")


GH_FLAGS = frozenset({"--comments", "--failed", "--log", "--log-failed"})
"""Options of GitHub's CLI that take no value."""
GH_COMMANDS = {
    "issue close": (1, {"--reason"}),
    "issue comment": (1, {"--body"}),
    "issue list": (0, {"--label", "--state"}),
    "issue view": (1, {"--comments"}),
    "run cancel": (1, set[str]()),
    "run list": (0, {"--workflow", "--limit", "--status"}),
    "run rerun": (1, {"--failed"}),
    "run view": (1, {"--log", "--log-failed"}),
    "secret list": (0, set[str]()),
    "secret set": (1, set[str]()),
    "workflow disable": (1, set[str]()),
    "workflow enable": (1, set[str]()),
    "workflow list": (0, set[str]()),
    "workflow run": (1, {"-f", "--repo", "--ref"}),
}
"""Command of GitHub's CLI -> number of its arguments, and its options, as far as the pages use them."""


def split_commands(line: str) -> list[list[str]]:
    """The simple commands of a shell line. Raises ValueError where a quotation is not closed."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    commands: list[list[str]] = [[]]
    for token in lexer:
        if token in ("|", "&&", ";"):
            commands.append([])
        else:
            commands[-1].append(token)
    return commands


def command_problem(argv: Sequence[str], cli: click.Group, *, builtin: bool = True) -> str:
    """What is wrong with a command; empty where nothing is.

    On a user's own page other programs are not checked, and of GitHub's CLI only the comments.
    """
    if not argv:
        return "an empty command" if builtin else ""
    if argv[0] == "modelwatch":
        return _modelwatch_problem(list(argv[1:]), cli)
    if argv[0] == "gh":
        name = " ".join(argv[1:3])
        return _gh_problem(name, argv[3:]) if builtin or name == "issue comment" else ""
    return "" if argv[0] in OTHER_PROGRAMS or not builtin else f"the pages do not use {argv[0]}"


def _modelwatch_problem(arguments: list[str], cli: click.Group) -> str:
    """Parse the command with the command line interface itself, which then runs nothing."""
    import click

    command: click.Command | None = cli
    context: click.Context | None = None
    name = "modelwatch"
    try:
        while isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
            name = arguments.pop(0) if arguments else ""
            command = command.get_command(context, name)
        if command is None:
            return f"there is no command {name!r}"
        command.make_context(name, arguments, parent=context)
    except click.ClickException as error:
        return error.format_message()
    return ""


def _gh_problem(name: str, rest: Sequence[str]) -> str:
    if name not in GH_COMMANDS:
        return f"the pages do not use gh {name}"
    count, options = GH_COMMANDS[name]
    arguments: list[str] = []
    fields: set[str] = set()
    words = iter(rest)
    for word in words:
        if not word.startswith("-"):
            arguments.append(word)
        elif word not in options:
            return f"gh {name} has no option {word}"
        elif word not in GH_FLAGS:
            value = next(words, "")
            if word == "--body" and (problem := comment_problem(value)):
                return problem
            fields |= {value.partition("=")[0]} if word == "-f" else set()
    if len(arguments) != count:
        return f"gh {name} takes {count} arguments, not {len(arguments)}"
    return _inputs_problem(arguments[0], fields) if name == "workflow run" else ""


def _inputs_problem(file: str, names: set[str]) -> str:
    inputs = starter_workflow_inputs().get(file)
    if inputs is None:
        return f"`modelwatch init` writes no {file}"
    if unknown := sorted(names - inputs.keys()):
        return f"{file} has no input {unknown[0]}"
    missing = sorted(name for name, facts in inputs.items() if facts.get("required") and name not in names)
    return f"{file} needs the input {missing[0]}" if missing else ""


@cache
def starter_workflow_inputs() -> dict[str, dict[str, Any]]:
    """File name -> inputs of the workflows that ``modelwatch init`` writes and that can be dispatched."""
    import yaml

    files = render_starter_files(model="m", entity="e", project="p", repository="o/r", owner="@o")
    trees = {path: yaml.safe_load(text) for path, text in files.items() if path.startswith(".github/workflows/")}
    # YAML 1.1 reads the key `on` as true.
    triggers = {path: tree[True].get("workflow_dispatch") for path, tree in trees.items()}
    return {path.rpartition("/")[2]: trigger["inputs"] for path, trigger in triggers.items() if trigger}


def comment_problem(body: str) -> str:
    """What is wrong with a comment that is a command for modelwatch; empty where nothing is."""
    if not body.startswith("/modelwatch"):
        return ""
    commands = parse_commands([{"id": 1, "body": body, "user": {"login": "me"}}], lambda _: "")
    known = {span.split()[0] for span in CODE_SPAN.findall(COMMAND_LIST)} | set(WORKFLOW_VERBS)
    if not commands or commands[0].verb not in known:
        return f"no command of an issue: {body!r}"
    verb, argument = commands[0].verb, commands[0].argument
    if verb == "silence" and not _SILENCE_ARGUMENT.fullmatch(argument):
        return f"a silence needs a length and a reason: {body!r}"
    return f"a promotion needs a version: {body!r}" if verb == "promote" and not argument else ""


CONCLUSIONS = ("success", "failure", "cancelled", "timed_out")
"""GitHub's conclusions of workflow runs."""
_EXCLUDED_PARTS = frozenset({"testing", "runbooks"})


def is_known_phrase(text: str) -> bool:
    """Whether a command, an issue or an incident can show ``text``; ``…`` matches anything."""
    parts = (part.strip() for part in text.split("…"))
    return text in _dispatch_states() or all(any(part in piece for piece in _source_texts()) for part in parts)


@cache
def _source_texts() -> tuple[str, ...]:
    """Every text in the package but its docstrings; of f-strings each part."""
    root = Path(__file__).parents[1]
    paths = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in _EXCLUDED_PARTS]
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in silent)
    return tuple({text for text in texts if isinstance(text, str)})


@cache
def _dispatch_states() -> frozenset[str]:
    """The states of a dispatch as ``status`` and the issue show them."""
    states = [*(state.value for state in DispatchState), *CONCLUSIONS]
    finished = [f"finished: {conclusion}" for conclusion in CONCLUSIONS]
    endings = ["{}.1", *(f"{{}}: {state}" for state in states), *(f"{{}} {text}" for text in finished)]
    return frozenset(finished + [text.format(verb) for verb in WORKFLOW_VERBS for text in endings])


MIN_TABLE_ROWS = 3
MAX_LINES = 90
MAX_LINE_LENGTH = 140
"""Characters of a line outside of tables and commands."""


def check_builtin_pages(folder: Path, kinds: Collection[str], cli: click.Group) -> list[str]:
    """The problems of every page of ``folder``; each kind needs one page, linked by the index, and no page is extra."""
    index = read_page(folder / INDEX_FILE)
    examples = read_placeholders(index)
    pages = {path.stem for path in folder.glob("*.md") if path.name not in NON_PAGE_FILES}
    linked = {target.removesuffix(".md") for _, target in index.links()}
    problems = [f"{kind}.md: the kind has no page" for kind in sorted(set(kinds) - pages)]
    problems += [f"{kind}.md: there is no such kind, so no alert links it" for kind in sorted(pages - set(kinds))]
    problems += [f"{name}.md: {INDEX_FILE} does not link it" for name in sorted(pages - linked)]
    for path in sorted(folder.glob("*.md")):
        page = read_page(path)
        problems += [*check_links(page), *check_commands(page, examples, cli), *check_exit_codes(page)]
        if path.name != INDEX_FILE:
            problems += [*check_sections(page), *check_decision_table(page), *check_quotations(page), *check_size(page)]
    return problems


def check_user_page(page: RunbookPage, examples: Mapping[str, str], cli: click.Group) -> tuple[list[str], list[str]]:
    """Problems and warnings of a user's own page, whose sections and wording are free."""
    problems = [*check_links(page), *check_commands(page, examples, cli, builtin=False)]
    return problems, [page.problem(1, f"the section {name!r} is missing") for name in missing_sections(page)]


def missing_sections(page: RunbookPage) -> list[str]:
    names = {name for _, name in page.sections()}
    return [name for name in SECTIONS if name not in names]


def check_sections(page: RunbookPage) -> Iterator[str]:
    """A page needs a title, an answer in bold right below it, then all sections in order, none empty."""
    sections = page.sections()
    names = tuple(name for _, name in sections)
    yield from (page.problem(1, f"the section {name!r} is missing") for name in missing_sections(page))
    if sorted(names) == sorted(SECTIONS) and names != SECTIONS:
        yield page.problem(sections[0][0], "the sections are out of order")
    for number, name in sections:
        if name not in SECTIONS:
            yield page.problem(number, f"no page has a section {name!r}")
        below = page.lines[number : number + 2]
        if not any(line and not line.startswith("#") for line in below):
            yield page.problem(number, f"the section {name!r} is empty")
    if not page.lines[0].startswith("# ") or not "".join(page.lines[2:3]).startswith("**"):
        yield page.problem(1, "the page does not begin with a title and the answer in bold")


def check_decision_table(page: RunbookPage) -> Iterator[str]:
    rows = decision_rows(page)
    if not rows or rows[0][1] != TABLE_COLUMNS:
        yield page.problem(1, f"there is no table of {', '.join(TABLE_COLUMNS)}")
        return
    if len(rows) - 2 < MIN_TABLE_ROWS:
        yield page.problem(rows[0][0], f"the decision table has {len(rows) - 2} rows, fewer than {MIN_TABLE_ROWS}")
    for number, cells in rows:
        if len(cells) != len(TABLE_COLUMNS) or not all(cells):
            yield page.problem(number, f"a row of the decision table needs {len(TABLE_COLUMNS)} cells, all filled")


def check_size(page: RunbookPage) -> Iterator[str]:
    if len(page.lines) > MAX_LINES:
        yield page.problem(MAX_LINES, f"{len(page.lines)} lines are more than {MAX_LINES}: too long to read at night")
    wide = [number for number, line in page.prose() if len(line) > MAX_LINE_LENGTH and not line.startswith("|")]
    yield from (page.problem(number, f"the line is longer than {MAX_LINE_LENGTH} characters") for number in wide)


def check_links(page: RunbookPage) -> Iterator[str]:
    """A relative link needs its file, and its heading where it names one; other links need a valid form."""
    for number, target in page.links():
        if problem := _link_problem(page, target):
            yield page.problem(number, problem)


def _link_problem(page: RunbookPage, target: str) -> str:
    try:
        parts = urlsplit(target)
    except ValueError:
        return f"the link is not a URL: {target}"
    if parts.scheme:
        is_complete = parts.scheme == "mailto" or (parts.scheme in ("http", "https") and parts.netloc)
        return "" if is_complete else f"the link is not a URL: {target}"
    file = page.path.parent / unquote(parts.path) if parts.path else page.path
    if not file.exists():
        return f"the link leads nowhere: {target}"
    if parts.fragment and file.suffix == ".md" and parts.fragment not in read_page(file).anchors():
        return f"{file.name} has no heading #{parts.fragment}"
    return ""


def check_exit_codes(page: RunbookPage) -> Iterator[str]:
    for number, line in page.prose():
        for code in re.findall(r"[Ee]xit code (\d+)", line):
            if int(code) not in {int(known) for known in Exit}:
                yield page.problem(number, f"no command ends with exit code {code}")


def check_quotations(page: RunbookPage) -> Iterator[str]:
    """Code in the first column of the decision table must be a phrase that modelwatch shows."""
    for number, cells in decision_rows(page)[2:]:
        for phrase in CODE_SPAN.findall(cells[0]):
            if not is_known_phrase(phrase):
                yield page.problem(number, f"modelwatch never shows `{phrase}`")


def check_commands(
    page: RunbookPage, examples: Mapping[str, str], cli: click.Group, *, builtin: bool = True
) -> Iterator[str]:
    """Every command line and comment has to parse, with the examples in place of the placeholders."""
    for number, line in page.prose():
        problems = (comment_problem(span) for span in CODE_SPAN.findall(line) if span.startswith("/modelwatch "))
        yield from (page.problem(number, problem) for problem in problems if problem)
    for number, line in page.commands():
        if builtin:
            unknown = sorted(set(PLACEHOLDER.findall(line)) - set(examples)) if not line.startswith("export ") else []
            yield from (page.problem(number, f"{INDEX_FILE} does not explain {name}") for name in unknown)
        try:
            simple = split_commands(fill_placeholders(line.removeprefix("$ "), dict(examples)))
        except ValueError as error:
            if builtin or "modelwatch" in line:
                yield page.problem(number, f"`{line}` is no command: {error}")
            continue
        command_problems = (what for argv in simple if (what := command_problem(argv, cli, builtin=builtin)))
        yield from (page.problem(number, f"`{line}`: {what}") for what in command_problems)
