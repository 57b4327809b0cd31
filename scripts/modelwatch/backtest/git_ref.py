"""Reads the configuration of a git ref, and every file that it names, into a folder of its own.

Nothing is checked out: the user's work tree, index and hooks take no part. Files are read by their ids out of git's
store, so that no filter of the repository runs. Symbolic links, submodules and what lies outside of the repository are
not followed.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from ..config.loader import MAX_FILES, SUFFIXES, load_config
from ..config.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml
from ..errors import ConfigError, UserError, shorten
from ..model.monitored_model import Config, Model

TIMEOUT = 60.0
"""Seconds, of one call of git."""
MAX_FILE_BYTES = 50_000_000
"""A larger file is left out: a configuration and its baselines are smaller, and data is not read from git."""
MAX_REF_LENGTH, MAX_NAME_LENGTH = 250, 1000


class NoConfigurationError(UserError):
    """The ref has no configuration at this place."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of a tree. ``mode``: git's, ``100644`` or ``100755`` for a regular file, ``120000`` for a link."""

    mode: str
    id: str
    size: int

    @property
    def is_file(self) -> bool:
        return self.mode.startswith("100")


class GitTree:
    """The files of one commit of the repository that holds ``place``."""

    def __init__(self, place: Path, ref: str, env: Mapping[str, str]) -> None:
        """Raises UserError where ``place`` is in no repository, or ``ref`` names no commit of it."""
        # Nothing of the caller's environment points git elsewhere.
        self._env = {name: value for name, value in env.items() if not name.startswith("GIT_")}
        self._env |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        self._folder = place if place.is_dir() else place.absolute().parent
        top = self._git("rev-parse", "--show-toplevel").decode().rstrip("\n")
        self.top = Path(top).resolve()
        self.commit = self._resolve(ref)
        self.ref = ref
        self._entries = self._list()

    def _resolve(self, ref: str) -> str:
        if not ref or ref.startswith("-") or len(ref) > MAX_REF_LENGTH or not ref.isprintable():
            raise UserError(f"{shorten(ref, 60)!r} is not a git ref.", hint=_REF_HINT, where="--against")
        try:
            words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
            return self._git(*words).decode().strip()
        except UserError as error:
            hint = f"{_REF_HINT} In GitHub Actions check out with `fetch-depth: 0`, or fetch it first."
            raise UserError(f"git does not know the ref {shorten(ref, 60)!r}.", hint=hint, where="--against") from error

    def _list(self) -> dict[str, _Entry]:
        entries = {}
        for line in self._git("ls-tree", "-r", "-z", "--long", "--full-tree", self.commit).split(b"\0"):
            about, _, name = line.partition(b"\t")
            if name and not {b"", b".", b".."} & set(name.split(b"/")):
                mode, _, oid, size = about.decode().split()
                entries[os.fsdecode(name)] = _Entry(mode, oid, int(size) if size.isdigit() else 0)
        return entries

    def path_of(self, place: Path) -> str:
        """The path in the tree of a file or folder of the work tree. Raises UserError for one outside."""
        resolved = place.absolute().parent.resolve() / place.name if not place.is_dir() else place.resolve()
        if not resolved.is_relative_to(self.top):
            raise UserError(f"{place} lies outside of the repository {self.top}.", where="--against")
        return resolved.relative_to(self.top).as_posix()

    def entry(self, path: str) -> _Entry | None:
        return self._entries.get(path)

    def link_at(self, path: str) -> str:
        """The part of ``path`` that is a symbolic link or a submodule; empty where none is."""
        parts = path.split("/")
        above = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        return next((part for part in above if part in self._entries and not self._entries[part].is_file), "")

    def files_in(self, folder: str) -> Iterator[str]:
        """The files directly in ``folder`` (empty: the top)."""
        for path in self._entries:
            if posixpath.dirname(path) == ("" if folder == "." else folder):
                yield path

    def read(self, path: str) -> bytes:
        return self._git("cat-file", "blob", self._entries[path].id)

    def _git(self, *words: str) -> bytes:
        """Its output. Raises UserError."""
        command = ["git", "--no-pager", "-C", str(self._folder), *words]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
                stdin=subprocess.DEVNULL,
                env=self._env,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UserError(f"git cannot be run: {error}.", where="--against") from error
        if done.returncode:
            reason = shorten(done.stderr.decode(errors="replace") or f"it ended with {done.returncode}", 200)
            raise UserError(f"git failed: {reason}.", where="--against")
        return done.stdout


_REF_HINT = "Name a branch, a tag or a commit, such as `main`."


def load_config_at(config: Path, ref: str, folder: Path, env: Mapping[str, str]) -> Config:
    """The configuration that stands at ``config``, a file or a folder, of ``ref``; or, with ``REF:PATH``, at
    another place of the repository.

    Its files are written into ``folder``, an empty one that must stay until the configuration is no longer used; data
    that it reads (tables, offline W&B runs, logs) stays where it is in the work tree. Raises NoConfigurationError,
    ConfigError for one that cannot be read, UserError for a ref that cannot.
    """
    ref, _, other = ref.partition(":")
    tree = GitTree(config, ref, env)
    path = posixpath.normpath(other) if other else tree.path_of(config)
    if link := tree.link_at(path):
        raise UserError(f"{link} is a symbolic link or a submodule at {ref}, which is not followed.", where="--against")
    files = _config_files(tree, path)
    if not files:
        raise NoConfigurationError(f"{ref} has no configuration at {path}.", where="--against")
    notes: list[str] = []
    for file in files:
        _extract(tree, file, folder)
        for key, node in _named_paths(tree.read(file), file):
            notes += _extract_named(tree, file, key, node, folder)
    try:
        loaded = load_config(folder / path, env, require_secrets=False)
    except ConfigError as error:
        problems = (_at_ref(problem, folder, ref) for problem in error.problems)
        raise ConfigError((*problems, *(UserError(note, where=ref) for note in notes))) from error
    models = tuple(_with_data_at(model, str(folder), str(tree.top)) for model in loaded.models)
    return replace(loaded, models=models)


def _config_files(tree: GitTree, path: str) -> list[str]:
    """The file, or the configuration files of the folder."""
    if tree.entry(path) is not None:
        return [path]
    files = [file for file in tree.files_in(path) if file.endswith(SUFFIXES)]
    return [file for file in sorted(files)[: MAX_FILES + 1] if (entry := tree.entry(file)) and entry.is_file]


def _named_paths(content: bytes, file: str) -> Iterator[tuple[str, ScalarNode]]:
    """Every text in a YAML file, with its key (empty in a list): those that are paths of the tree name files."""
    try:
        root = parse_yaml(content, file)
    except ConfigError:
        return  # reported with its line when it is loaded
    waiting: list[tuple[str, Node]] = [("", root)]
    while waiting:
        key, node = waiting.pop()
        if isinstance(node, ScalarNode):
            yield key, node
        elif isinstance(node, SequenceNode):
            waiting += (("", item) for item in node.items)
        elif isinstance(node, MappingNode):
            waiting += ((name.text if isinstance(name, ScalarNode) else "", value) for name, value in node.pairs)


def _extract_named(tree: GitTree, config: str, key: str, node: ScalarNode, folder: Path) -> Iterator[str]:
    """Write the file that a text in the file ``config`` names, if it is one; yields what is not followed, as a note.

    Raises UserError for a baseline or a calendar (``file:``) outside of the repository, which would be today's.
    """
    name = node.text.strip()
    if not name or "\0" in name or len(name) > MAX_NAME_LENGTH:
        return
    path = posixpath.normpath(posixpath.join(posixpath.dirname(config), name))
    if link := tree.link_at(path):
        yield f"{link} is a symbolic link or a submodule there, which is not followed."
    elif path.startswith(("../", "/")):
        if key == "file":
            message = f"{shorten(name, 80)} lies outside of the repository, so git does not have it."
            raise UserError(message, where=f"{tree.ref}:{config}:{node.line}:{node.column}")
    elif (entry := tree.entry(path)) is not None and entry.size <= MAX_FILE_BYTES:
        _extract(tree, path, folder)


def _extract(tree: GitTree, path: str, folder: Path) -> None:
    target = folder / path
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(tree.read(path))


def _at_ref(problem: UserError, folder: Path, ref: str) -> UserError:
    """With the place as people know it, ``main:modelwatch.yml:3:1``."""
    text = str(folder) + os.sep
    where = problem.where.replace(text, "")
    return UserError(problem.message.replace(text, ""), hint=problem.hint.replace(text, ""), where=f"{ref}:{where}")


def _with_data_at(model: Model, old: str, new: str) -> Model:
    """The model, which reads its data below ``new`` instead of ``old``."""
    specs = {
        name: _moved(getattr(model, name), old, new) for name in ("wandb", "table", "measure", "release", "business")
    }
    return replace(model, where=_moved(model.where, old, new), **specs)


def _moved(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return new + value[len(old) :] if value.startswith(old + os.sep) else value
    if isinstance(value, tuple):
        return tuple(_moved(part, old, new) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _moved(getattr(value, field.name), old, new) for field in fields(value)})
    return value
