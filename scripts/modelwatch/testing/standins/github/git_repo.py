"""Branches, commits and files of one repository: just enough of git to read and write files through the API."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def blob_sha(content: bytes) -> str:
    """The object name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    tree: str
    message: str
    author: str
    at: float
    parents: tuple[str, ...]
    files: Mapping[str, bytes]


@dataclass(slots=True)
class GitRepo:
    """Commits by their name, branches and tags that point at them."""

    default_branch: str = "main"
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(
        self, branch: str, changes: Mapping[str, bytes | None], message: str, author: str, at: float, sha: str = ""
    ) -> Commit:
        """Add a commit to ``branch`` (made where it is missing); a change to ``None`` deletes the file."""
        parent = self.branches.get(branch)
        files = dict(self.commits[parent].files) if parent else {}
        for path, content in changes.items():
            if content is None:
                files.pop(path, None)
            else:
                files[path] = content
        listing = "\n".join(f"{blob_sha(content)} {path}" for path, content in sorted(files.items()))
        tree = hashlib.sha1(f"tree {listing}".encode(), usedforsecurity=False).hexdigest()
        seed = f"commit {tree} {parent} {message} {at!r} {len(self.commits)}"
        sha = sha or hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        new_commit = Commit(sha, tree, message, author, at, (parent,) if parent else (), files)
        self.commits[sha] = new_commit
        self.branches[branch] = sha
        return new_commit

    def load_worktree(self, worktree: Path, at: float) -> Commit:
        """Take the tracked files of a git working tree, as they lie on the disk, for the default branch."""
        tracked = _git(worktree, "ls-files", "-z").split(b"\0")
        names = [name.decode() for name in tracked if name]
        files: dict[str, bytes | None] = dict.fromkeys(self.files_at(self.default_branch))
        files |= {name: (worktree / name).read_bytes() for name in names if (worktree / name).is_file()}
        head = _git(worktree, "rev-parse", "HEAD").decode().strip()
        return self.commit(self.default_branch, files, "Load the working tree", "git", at, sha=head)

    def resolve_ref(self, ref: str) -> str | None:
        """The commit that a branch, a tag, a full ref or a commit's name stands for."""
        if ref.startswith("refs/heads/"):
            return self.branches.get(ref.removeprefix("refs/heads/"))
        if ref.startswith("refs/tags/"):
            return self.tags.get(ref.removeprefix("refs/tags/"))
        sha = self.branches.get(ref) or self.tags.get(ref)
        return sha or (ref if ref in self.commits else None)

    def files_at(self, ref: str) -> Mapping[str, bytes]:
        """All files at ``ref``; empty where there is no such ref."""
        sha = self.resolve_ref(ref)
        return self.commits[sha].files if sha else {}


def _git(worktree: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(worktree), *arguments], check=True, capture_output=True).stdout
