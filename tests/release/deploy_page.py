"""The page DEPLOY.md: the tables of variables as the code gives them, and what its scripts call.

``python -m tests.release.deploy_page --update`` writes the tables and the recorded calls anew; read the difference
before you commit it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from markdown_it import MarkdownIt

from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.release.command_variables import DEPRECATED_VARIABLES, PREFIX, VARIABLES, command_variables
from modelwatch.release.move_request import MoveRequest, build_intent, resolve_target

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / ".github/DEPLOY.md"
CALLS = Path(__file__).parent / "deploy_calls.txt"
AT = 1_790_000_000.0
START = Registry(
    "churn",
    "acme/churn-train/churn",
    (
        Version("v3", ("candidate", "1.2.0"), "d3", 3.0, number="1.2.0"),
        Version("v2", ("production", "1.1.0"), "d2", 2.0, number="1.1.0"),
        Version("v1", ("previous", "1.0.0"), "d1", 1.0, number="1.0.0"),
    ),
)
WINDOW = (1_787_356_800.0, 1_789_948_800.0)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command: what was requested, and the variables that it gets."""

    title: str
    command: str
    variables: dict[str, str]


STORY = (
    ("canary start", MoveRequest(MoveVerb.CANARY, "v3", percent=5.0)),
    ("canary start, more", MoveRequest(MoveVerb.CANARY, "v3", percent=20.0)),
    ("canary abort", MoveRequest(MoveVerb.ABORT, percent=0.0)),
    ("promote", MoveRequest(MoveVerb.PROMOTE, "v3")),
    ("rollback", MoveRequest(MoveVerb.ROLLBACK, "v2")),
    ("degrade", MoveRequest(MoveVerb.DEGRADE)),
    ("restore", MoveRequest(MoveVerb.RESTORE)),
    ("retrain", MoveRequest(MoveVerb.RETRAIN)),
    ("check", MoveRequest(MoveVerb.ROLLBACK, "v1")),
)
"""What is requested, one after another. A check changes nothing."""
TABLES = (STORY[:5], STORY[5:])
COMMANDS = {"degrade": "degrade", "restore": "degrade", "retrain": "train", "check": "check"}


def made(registry: Registry, move: Move) -> Registry:
    """The registry once ``move`` is done."""
    after = dict(move.after)
    versions = tuple(
        replace(
            version,
            aliases=(
                *(alias for alias in version.aliases if alias not in after),
                *(alias for alias, name in after.items() if name == version.name),
            ),
        )
        for version in registry.versions
    )
    return replace(registry, versions=versions, moves=(replace(move, state=MoveState.DONE), *registry.moves))


def calls() -> list[Call]:
    registry, found = START, []
    for number, (title, request) in enumerate(STORY):
        target = resolve_target(request, registry)
        whole = replace(request, key="issue-7.1", reason="accuracy fell", by="ana", issue="…/issues/7")
        move = build_intent(whole, registry, target, "", AT + number)
        window = WINDOW if request.verb is MoveVerb.RETRAIN else None
        found.append(Call(title, COMMANDS.get(title, "deploy"), command_variables(move, registry, 5.0, window)))
        registry = made(registry, move)
    return found


def variables_section() -> str:
    """What follows the heading `## Variables` on the page."""
    by_title = {call.title: call for call in calls()}
    parts = [_table(("variable", "meaning"), [(code(name), text) for name, text in _meanings(VARIABLES)])]
    parts.append(
        "These are for scripts written for 0.1. They work in the next release, too, and go with the one after it:\n"
        "they say one version and one percent, and `v2` with `0` is not what is meant when a canary is aborted."
    )
    parts.append(
        _table(("deprecated", "meaning"), [(code(name), text) for name, text in _meanings(DEPRECATED_VARIABLES)])
    )
    parts.append(
        "An example: `v2` is in production, `v1` was before, and `v3` is the candidate. It becomes the canary, gets\n"
        "more traffic and is taken back; later it is promoted and rolled back. Then the model is degraded and\n"
        "restored. Each call gets:"
    )
    for story in TABLES:
        columns = [by_title[title] for title, _ in story]
        rows = [
            (code(PREFIX + name), *(code(call.variables[PREFIX + name]) for call in columns))
            for name in (*VARIABLES, *DEPRECATED_VARIABLES)
        ]
        command = ("command", *(code(call.command) for call in columns))
        parts.append(_table(("", *(call.title for call in columns)), [command, *rows]))
    return "\n\n".join(parts)


def page_with(section: str) -> str:
    head, heading, rest = PAGE.read_text("utf-8").partition("## Variables\n")
    tail = rest[rest.index("## Scripts\n") :]
    return f"{head}{heading}\n{section}\n\n{tail}"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def _meanings(variables: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((PREFIX + name, meaning) for name, meaning in variables.items())


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("|" + "|".join(f" {cell} " if cell != "---" else cell for cell in line) + "|" for line in lines)


def scripts() -> dict[str, str]:
    """The scripts of the page, by heading."""
    text = PAGE.read_text("utf-8").partition("\n## Scripts\n")[2]
    titles = re.findall(r"^### (.+)$", text, re.MULTILINE)
    blocks = [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == "bash"]
    return dict(zip(titles, blocks, strict=True))


FAKE = """\
#!/usr/bin/env bash
# Records how it is called, and answers from $FAKES/state, a folder with one file for each thing that exists.
set -euo pipefail
tool=${0##*/} state=$FAKES/state
mkdir -p "$state"
line=$(printf ' %s' "$@")
printf '%s%s\\n' "$tool" "$line" >>"$FAKES/calls"
if [ -n "${FAKE_FAILS:-}" ] && [[ $line == *"$FAKE_FAILS"* ]]; then
  echo "$tool: refused" >&2
  exit 3
fi
put() { printf '%s\\n' "$2" >"$state/${1//\\//.}"; }
get() { cat "$state/${1//\\//.}" 2>/dev/null; }
case "$tool $1 $2" in
"aws sagemaker describe-endpoint-config") get "config.$4" ;;
"aws sagemaker create-endpoint-config") [ ! -e "$state/config.$4" ] && put "config.$4" "${*:6}" ;;
"aws sagemaker describe-endpoint") get endpoint || echo churn-first ;;
"aws sagemaker update-endpoint")
  [ "$(get endpoint)" != "$6" ] && get "config.$6" >/dev/null
  [ -n "${FAKE_GOES_BACK:-}" ] || put endpoint "$6"
  ;;
"aws sagemaker wait") ;;
"kubectl patch inferenceservice") [ "$5" = merge ] && put inferenceservice "$7" ;;
"kubectl wait inferenceservice") ;;
"kubectl get "*) echo "$(get "image.$2" || echo registry.example.com/churn:v2) $(get "replicas.$2" || echo 20)" ;;
"kubectl set image") put "image.$3" "${4#server=}" ;;
"kubectl scale "*) put "replicas.$2" "${3#--replicas=}" ;;
"kubectl rollout status") ;;
"gcloud ai endpoints")
  case "$3" in
  describe) cat "$state/deployed" 2>/dev/null || true ;;
  deploy-model) printf '%s\\t%s\\n' "${7#--display-name=}" "10${7#--display-name=}" >>"$state/deployed" ;;
  update) put split "${6#--traffic-split=}" ;;
  esac
  ;;
*)
  echo "$tool: unknown$line" >&2
  exit 9
  ;;
esac
"""
"""Stands for `aws`, `kubectl` and `gcloud`. ``FAKE_FAILS``: a call that contains this text fails."""
TOOLS = ("aws", "kubectl", "gcloud")


def install_fakes(folder: Path) -> dict[str, str]:
    """Put the fakes into ``folder``. Returns the variables with which a script finds them."""
    for tool in TOOLS:
        path = folder / "bin" / tool
        path.parent.mkdir(exist_ok=True)
        path.write_text(FAKE, "utf-8")
        path.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "FAKES": str(folder)}


def run_script(script: str, folder: Path, variables: dict[str, str]) -> tuple[int, list[str]]:
    """Run ``script`` in ``folder``, where the fakes are. Returns its exit code and the calls that it made."""
    log = folder / "calls"
    log.write_text("")
    environment = {"HOME": str(folder), **install_fakes(folder), **variables}
    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True)
    return ended.returncode, log.read_text("utf-8").splitlines()


def state(folder: Path) -> dict[str, str]:
    """What the script has made true."""
    files = [*folder.glob("state/*"), *folder.glob("*.txt")]
    return {path.name: path.read_text("utf-8") for path in files}


def recorded_calls(folder: Path) -> str:
    """For each script, the calls of each verb, with what is true afterwards for a file."""
    lines = []
    for title, script in scripts().items():
        home = folder / title.replace(" ", "-")
        home.mkdir()
        for call in calls():
            if call.command not in ("deploy", "degrade"):
                continue
            status, told = run_script(script, home, call.variables)
            told += [f"{path.name}: {path.read_text('utf-8').strip()}" for path in home.glob("*.txt")]
            lines += [f"{title}: {call.title}, {call.variables['MODELWATCH_SERVING']}: exit code {status}"]
            lines += [*(f"  {line}" for line in told), ""]
    return "\n".join(lines)


if __name__ == "__main__" and sys.argv[1:] == ["--update"]:
    import tempfile

    PAGE.write_text(page_with(variables_section()), "utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        CALLS.write_text(recorded_calls(Path(scratch)), "utf-8")
