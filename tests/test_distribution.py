"""How an extra is installed: from where modelwatch itself came, into the environment where it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelwatch.distribution import SLUG
from modelwatch.errors import EXTRAS, MissingExtraError, require_extra

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
FORK = "https://git.example.org/ml/modelwatch"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FROM_GIT = {"url": FORK, "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": COMMIT}}
REPOSITORY = f"git+https://github.com/{SLUG}"


def command(folder: Path, extra: str, record: object, *, pipx: bool = False) -> str:
    """The command in a process where modelwatch is installed with this record of its origin."""
    metadata = folder / "modelwatch-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: modelwatch\nVersion: 0.1.0\n")
    if record is not None:
        (metadata / "direct_url.json").write_text(record if isinstance(record, str) else json.dumps(record))
    prefix = folder / "venvs/modelwatch"
    prefix.mkdir(parents=True)
    if pipx:
        (prefix / "pipx_metadata.json").write_text("{}")
    code = (
        f"import sys; sys.path[:0] = [{str(folder)!r}, {str(SCRIPTS)!r}]; sys.prefix = {str(prefix)!r}\n"
        f"from modelwatch.distribution import install_command; print(install_command({extra!r}))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("extra", "record", "pipx", "expected"),
    [
        ("messages", FROM_GIT, False, f"pip install 'modelwatch[messages] @ git+{FORK}@{COMMIT}'"),
        ("messages", FROM_GIT, True, f"pipx runpip modelwatch install 'modelwatch[messages] @ git+{FORK}@{COMMIT}'"),
        (
            "testing", FROM_GIT, False,
            f"pip install 'modelwatch-testing @ git+{FORK}@{COMMIT}#subdirectory=scripts'",
        ),
        ("profiling", None, False, f"pip install 'modelwatch[profiling] @ {REPOSITORY}'"),
        ("profiling", "no JSON", False, f"pip install 'modelwatch[profiling] @ {REPOSITORY}'"),
        ("relay", {"url": "file:///a", "dir_info": {}}, False, f"pip install 'modelwatch[relay] @ {REPOSITORY}'"),
    ],
)  # fmt: skip
def test_an_extra_comes_from_where_modelwatch_came_from(
    tmp_path: Path, extra: str, record: object, pipx: bool, expected: str
) -> None:
    assert command(tmp_path, extra, record, pipx=pipx) == expected


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_hint_names_an_index_that_does_not_have_it(extra: str) -> None:
    with pytest.raises(MissingExtraError) as caught, require_extra(extra):
        raise ModuleNotFoundError(name=EXTRAS[extra][0])
    assert " @ git+" in caught.value.hint
