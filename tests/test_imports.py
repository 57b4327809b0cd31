"""Who may import whom, what may be imported where, and who may read the clock and the environment."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "scripts" / "modelwatch"
ARCHITECTURE = ROOT / ".github" / "ARCHITECTURE.md"
STDLIB = frozenset(sys.stdlib_module_names)

SMALL = frozenset({"model", "errors", "distribution", "timeutil"})
EDGE = frozenset({"model", "stats", "clients", "errors", "timeutil"})
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset({"distribution"}),
    "distribution": frozenset(),
    "timeutil": frozenset(),
    "regular_file": frozenset({"errors"}),
    "typed_json": frozenset(),
    "model": frozenset({"timeutil"}),
    "stats": frozenset({"timeutil"}),
    "evaluate": frozenset({"model", "stats", "errors", "timeutil"}),
    "alerts": frozenset({"model", "errors", "timeutil"}),
    "report": frozenset({"model", "timeutil"}),
    "config": SMALL | {"regular_file", "typed_json"},
    "step_files": frozenset({"model", "errors", "series_jsonl", "series_table", "timeutil", "typed_json"}),
    "series_jsonl": frozenset({"model", "errors", "typed_json"}),
    "series_table": frozenset({"model", "errors"}),
    "clients": frozenset({"errors"}),
    "sources": EDGE | {"profiling", "regular_file"},
    "targets": frozenset({"model", "clients", "report", "errors", "timeutil", "typed_json"}),
    "release": EDGE | {"profiling", "typed_json"},
    "profiling": EDGE | {"regular_file"},
    "recorder": EDGE | {"profiling", "config"},
    "pagerduty_setup": frozenset({"model", "clients", "errors", "timeutil"}),
    "wandb_setup": frozenset({"model", "clients", "report", "errors", "timeutil"}),
    "relay": frozenset({"clients", "errors", "timeutil"}),
    "watchdog": frozenset({"clients", "errors", "timeutil"}),
    "runbooks": SMALL | {"config", "report", "targets"},
}
NOT_IN_THE_STORY = frozenset({"cli", "relay", "testing"})
NOT_FOR = {
    "pipeline": NOT_IN_THE_STORY,
    "enrichment": NOT_IN_THE_STORY,
    "context": NOT_IN_THE_STORY,
    "inbound": NOT_IN_THE_STORY,
    "shards": NOT_IN_THE_STORY,
    "history": NOT_IN_THE_STORY,
    "doctor": NOT_IN_THE_STORY,
    "dashboard": NOT_IN_THE_STORY,
    "backtest": NOT_IN_THE_STORY,
    "scorecard": NOT_IN_THE_STORY,
    "rule_tests": NOT_IN_THE_STORY,
    "drill": NOT_IN_THE_STORY,
    "testing": frozenset({"cli"}),
}
"""Parts that may import everything but these."""
LAZY = frozenset(
    {"wandb", "wandb_workspaces", "pandas", "scipy", "github", "pdpyras", "pyarrow", "rich", "msgspec", "holidays"}
)
"""Imported inside functions only, by everyone."""
LATE = {
    ("cli", ""): "a command loads what it uses when it is called: `modelwatch --help` stays fast",
    ("pipeline", ""): "each step loads when it runs, most of it while the W&B client waits for its process to start",
    ("context", ""): "a check without a release needs neither its registry nor a target: 5 % of its time",
    ("enrichment", "evaluate.calendars"): "NumPy loads where a model has a calendar, not with every plan",
    ("clients", "clients.request_deadline"): "requests loads with the first request, not with every check",
    ("clients", "clients.github_connection"): "as above",
    ("evaluate", "evaluate.drift."): "only rules about drift need it: 3 % of a check without one",
    ("sources", "sources.table_source"): "NumPy and the readers of logs load where a model has a table",
    ("sources", "sources.derived_series"): "NumPy loads where a model has derived metrics",
    ("sources", "sources.measured_profiles"): "NumPy loads when a profile is read, not with every pull",
    ("recorder", "recorder.configuration"): "a service that names its columns itself loads no YAML, and nothing else",
    ("profiling", "stats.embeddings."): "scikit-learn loads for embeddings and texts only",
}
"""(who, what): why a module of our own may be imported late."""
NUMPY_AT_THE_TOP = frozenset({"stats", "evaluate", "profiling", "recorder", "release", "backtest"})
THIRD_PARTY: dict[str, frozenset[str]] = {
    "model": frozenset(),
    "alerts": frozenset(),
    "stats": frozenset({"msgspec", "numpy", "scipy", "pandas", "statsmodels", "sklearn", "threadpoolctl", "ruptures"}),
    "evaluate": frozenset({"numpy"}),
    "report": frozenset({"rich"}),
    "config": frozenset({"yaml", "msgspec", "holidays"}),
    "timeutil": frozenset({"holidays"}),
}
"""Where a package is named here, it may import nothing else from outside the standard library."""
CLOCK = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
MAY_READ_THE_CLOCK = frozenset({"cli", "testing", "relay", "recorder"})  # where they serve, nobody hands them the time
MAY_READ_THE_ENVIRONMENT = frozenset({"cli", "config", "clients", "testing"})


@dataclass(frozen=True)
class Import:
    where: str
    """``file:line``."""
    owner: str
    """The part of modelwatch that imports: a package or a module at the top."""
    module: str
    """Absolute name of what is imported."""
    top: bool
    """At the top of the module, and not for types only."""
    types: bool
    """Below ``if TYPE_CHECKING:``."""

    @property
    def part(self) -> str | None:
        """The part of modelwatch that is imported, if it is one."""
        names = self.module.split(".")
        return names[1] if names[0] == "modelwatch" and len(names) > 1 else None

    @property
    def package(self) -> str:
        return self.module.split(".")[0]


def owner_of(path: Path) -> str:
    parts = path.relative_to(SOURCES).parts
    if parts[0] == "testing" and parts[-1] == "command.py":
        return "cli"  # the options of `standins` and `demo`
    return parts[0].removesuffix(".py")


def files() -> list[Path]:
    return sorted(SOURCES.rglob("*.py"))


def is_for_types(node: ast.If) -> bool:
    return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def absolute(path: Path, node: ast.ImportFrom) -> list[str]:
    """Names of the modules that ``from x import a, b`` may load: ``x`` itself, or ``x.a`` where that is a module."""
    package = ["modelwatch", *path.relative_to(SOURCES).parent.parts]
    base = package[: len(package) - node.level + 1] if node.level else []
    base += node.module.split(".") if node.module else []
    if base[:1] != ["modelwatch"]:
        return [".".join(base)]
    folder = SOURCES.joinpath(*base[1:])
    return [".".join([*base, name.name] if is_module(folder / name.name) else base) for name in node.names]


def is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def parse(path: Path) -> ast.Module:
    """Several tests look at every module; reading them takes longer than all of that."""
    return ast.parse(path.read_text("utf-8"))


def imports_of(
    path: Path, body: list[ast.stmt] | None = None, top: bool = True, types: bool = False
) -> Iterator[Import]:
    tree = body if body is not None else parse(path).body
    for node in tree:
        where = f"{path.relative_to(SOURCES)}:{node.lineno}"
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(where, owner_of(path), name.name, top and not types, types)
        elif isinstance(node, ast.ImportFrom):
            for module in absolute(path, node):
                yield Import(where, owner_of(path), module, top and not types, types)
        else:
            inside = top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for_types = types or (isinstance(node, ast.If) and is_for_types(node))
            for field in ("body", "orelse", "finalbody"):
                branch_types = for_types if field == "body" else types
                yield from imports_of(path, getattr(node, field, []), inside, branch_types)
            for handler in getattr(node, "handlers", []):
                yield from imports_of(path, handler.body, inside, types)
            for case in getattr(node, "cases", []):
                yield from imports_of(path, case.body, inside, types)


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(found for path in files() for found in imports_of(path))


def test_the_imports_were_found() -> None:
    assert len(files()) > 20
    assert len(all_imports()) > 100
    assert any(not found.top and not found.types for found in all_imports())
    assert any(found.types for found in all_imports())


def test_every_part_keeps_to_what_it_may_import() -> None:
    wrong = []
    for found in all_imports():
        part, owner = found.part, found.owner
        if part is None or part == owner or owner in ("cli", "__main__", "__init__"):
            continue
        allowed = part not in NOT_FOR[owner] if owner in NOT_FOR else part in MAY_IMPORT.get(owner, frozenset())
        if not allowed:
            wrong.append(f"{found.where}: {owner} may not import {part}")
    assert wrong == []


def test_every_part_is_known_here() -> None:
    """A new part of the package needs a rule of its own."""
    known = {*MAY_IMPORT, *NOT_FOR, "cli", "__main__", "__init__"}
    assert {owner_of(path) for path in files()} <= known


def test_the_table_in_the_architecture_says_the_same() -> None:
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \| .* \| (.*) \|$", ARCHITECTURE.read_text("utf-8"), re.MULTILINE)
    table = {name: (cell.startswith("everything but"), frozenset(re.findall(r"`(\w+)", cell))) for name, cell in rows}
    assert table.pop("cli") == (False, frozenset()), "everything it offers"
    assert table == {
        **{name: (False, allowed) for name, allowed in MAY_IMPORT.items()},
        **{name: (True, refused) for name, refused in NOT_FOR.items()},
    }


def test_nothing_outside_of_it_imports_the_extra_testing() -> None:
    """`modelwatch` is installed without it; `cli` names its two commands in a table, as text."""
    wrong = [
        found.where for found in all_imports() if found.part == "testing" and not found.where.startswith("testing/")
    ]
    assert wrong == []


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [f"{found.where}: {found.package}" for found in all_imports() if found.top and found.package in LAZY]
    wrong += [
        f"{found.where}: numpy"
        for found in all_imports()
        if found.top and found.package == "numpy" and found.owner not in NUMPY_AT_THE_TOP
    ]
    assert wrong == []


def test_pure_parts_import_nothing_else_from_outside() -> None:
    wrong = [
        f"{found.where}: {found.package}"
        for found in all_imports()
        if found.owner in THIRD_PARTY
        and found.package not in STDLIB | {"modelwatch", "__future__"}
        and found.package not in THIRD_PARTY[found.owner]
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle() -> None:
    """Late imports and those for types count, too: a reader follows them all."""
    names = {path: "modelwatch." + ".".join(path.relative_to(SOURCES).with_suffix("").parts) for path in files()}
    known = {name.removesuffix(".__init__") for name in names.values()}
    graph: dict[str, set[str]] = {}
    for path, name in names.items():
        own = name.removesuffix(".__init__")
        graph[own] = {found.module for found in imports_of(path) if found.module in known} - {own}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def late_reason(found: Import) -> str | None:
    return next((reason for (owner, module), reason in LATE.items() if is_late_as(found, owner, module)), None)


def is_late_as(found: Import, owner: str, module: str) -> bool:
    return found.owner == owner and f"{found.module}.".startswith(f"modelwatch.{module}")


def test_our_own_modules_are_imported_at_the_top() -> None:
    late = [found for found in all_imports() if found.package == "modelwatch" and not found.top and not found.types]
    assert [f"{found.where}: {found.module}" for found in late if late_reason(found) is None] == []
    unused = [key for key in LATE if not any(is_late_as(found, *key) for found in late)]
    assert unused == [], "take it out of LATE"


def test_no_target_imports_another() -> None:
    """They meet in what is planned and applied for a group; the register is where they write it down."""
    targets = {path.parent.name for path in SOURCES.glob("targets/*/apply.py")}
    assert targets >= {"issues", "incidents", "workflows"}
    wrong = []
    for found in all_imports():
        parts = found.where.split(":")[0].split("/")
        names = found.module.split(".")
        if parts[0] == "targets" and names[:2] == ["modelwatch", "targets"] and parts[1] in targets:
            other = names[2] if len(names) > 2 else ""
            wrong += [f"{found.where}: {found.module}"] if other in targets - {parts[1]} else []
    assert wrong == []


def calls(path: Path) -> Iterator[tuple[str, str, int]]:
    """``(object, attribute, line)`` of every ``a.b`` in a file; of ``x.a.b`` the last two."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Attribute):
            value = node.value
            owner = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
            yield owner, node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module in ("time", "os"):
            for name in node.names:
                yield node.module, name.name, node.lineno


def test_the_clock_is_read_in_cli_alone() -> None:
    wrong = [
        f"{path.relative_to(SOURCES)}:{line}: {owner}.{name}"
        for path in files()
        if owner_of(path) not in MAY_READ_THE_CLOCK
        for owner, name, line in calls(path)
        if (owner, name) in CLOCK
    ]
    assert wrong == []


def test_the_environment_is_read_in_cli_config_and_clients_alone() -> None:
    wrong = [
        f"{path.relative_to(SOURCES)}:{line}: {owner}.{name}"
        for path in files()
        if owner_of(path) not in MAY_READ_THE_ENVIRONMENT
        for owner, name, line in calls(path)
        if owner == "os" and name in ("environ", "environb", "getenv", "putenv")
    ]
    assert wrong == []


def test_the_command_line_starts_light() -> None:
    told = subprocess.run(
        [sys.executable, "-I", "-c", "import sys, modelwatch.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in told.stdout.split()}
    assert loaded & (LAZY | {"numpy", "yaml", "requests", "graphql"}) == set()
    assert "click" in loaded
