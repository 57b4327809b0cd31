"""Writing to W&B through its own client: one resumable W&B run, rows of its history, files as artifacts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .retry import RetryPolicy
from .wandb import DEFAULT_URL, check_api_key, configure_environment, refusing_redirects, translate_wandb_error


@dataclass(frozen=True, slots=True)
class RunAddress:
    """Which W&B run is written to; one that is there already is resumed."""

    entity: str
    project: str
    id: str
    base_url: str = ""
    tags: Sequence[str] = ()
    job_type: str = ""
    group: str = ""

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"


class RunWriter:
    """An open W&B run."""

    def __init__(self, run: Any, *, is_offline: bool = False) -> None:
        self._run, self._is_offline = run, is_offline

    def log(self, values: Mapping[str, Any], histograms: Mapping[str, tuple[Any, Any]]) -> None:
        """One row; histograms as ``(counts, edges)``, at most 512 bins."""
        import wandb

        wandb_histograms = {key: wandb.Histogram(np_histogram=pair) for key, pair in histograms.items()}
        self._run.log({**values, **wandb_histograms})

    def log_artifact(self, name: str, kind: str, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> str:
        """An artifact of these files; content that is there already makes no new version. Gives its version: ``v3``;
        empty where the W&B run is offline."""
        import wandb

        artifact = wandb.Artifact(name, kind, metadata=dict(metadata))
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                (Path(folder) / file).write_bytes(content)
                artifact.add_file(str(Path(folder) / file), name=file)
            version = self._run.log_artifact(artifact)
            return "" if self._is_offline else str(version.wait().version)


@contextmanager
def open_run(
    address: RunAddress, config: Mapping[str, Any], key: str, retry: RetryPolicy, offline: str = ""
) -> Iterator[RunWriter]:
    """Opens the W&B run and finishes it; everything is at the server then. Raises SourceError.

    ``offline``: a folder, in which the W&B run is written instead, without a server or a key.
    """
    url = (address.base_url or DEFAULT_URL).rstrip("/")
    if offline:
        Path(offline).mkdir(parents=True, exist_ok=True)
        import wandb
    else:
        check_api_key(key, url)
        configure_environment(retry)
        with refusing_redirects(url, retry):
            import wandb

    settings = wandb.Settings(
        base_url=url,
        api_key=key or None,
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        init_timeout=max(retry.deadline(), 10.0),
    )
    run: Any = None
    try:
        run = wandb.init(
            entity=address.entity,
            project=address.project,
            id=address.id,
            resume=None if offline else "allow",
            mode="offline" if offline else "online",
            dir=offline or None,
            tags=list(address.tags) or None,
            job_type=address.job_type or None,
            group=address.group or None,
            config=dict(config),
            settings=settings,
        )
        yield RunWriter(run, is_offline=offline != "")
    except wandb.Error as error:
        raise translate_wandb_error(error, address.path) from error
    finally:
        if run is not None:
            run.finish()
