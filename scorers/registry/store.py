"""Runs, versions and aliases of the ranker, in MLflow: a file of one's own by default, or any server by URL."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.failure import Failure
from infra.settings import Settings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # a server that is away is told of in seconds

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

for _chatty in ("mlflow.store.db.utils", "alembic"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)  # after the import, which sets levels itself

MODEL = "keypulse-ranker"
CHAMPION, CHALLENGER = "champion", "challenger"
_EXPERIMENT = "keypulse-ranker"
_REPLACED = "replaced"
"""Tag of a champion: the version that was champion before it."""
_BUNDLE = "bundle"
_BATCH = 900
"""MLflow takes at most 1,000 metrics at a time."""


class RegistryError(Failure):
    """The registry can't be reached, or lacks what is asked for. The text says which."""


@dataclass(frozen=True)
class Version:
    """A registered ranker."""

    number: str
    run: str
    model_version: str
    """Of its bundle."""
    replaced: str | None
    """The champion before it, if it ever was champion."""


@dataclass(frozen=True)
class Training:
    """What is kept of one training."""

    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    curves: Iterable[tuple[str, int, float]]
    """Name, round and value."""
    card: str
    """Markdown: what the model is, and what it is not."""
    plots: Iterable[Path]
    bundle: Path


class Registry:
    """The ranker's registry at `settings.registry_url`; in `settings.home` when that is empty."""

    def __init__(self, settings: Settings, now_ms: int) -> None:
        """
        Raises:
            RegistryError: it can't be reached.
        """
        self._now = now_ms
        folder = (settings.home / "registry").resolve()
        self._url = settings.registry_url or f"sqlite:///{folder / 'registry.db'}"
        if not settings.registry_url:
            folder.mkdir(parents=True, exist_ok=True)
        try:
            self._client = MlflowClient(tracking_uri=self._url, registry_uri=self._url)
            found = self._client.get_experiment_by_name(_EXPERIMENT)
            where = None if settings.registry_url else str(folder / "runs")
            self._experiment = (
                found.experiment_id if found else self._client.create_experiment(_EXPERIMENT, artifact_location=where)
            )
        except MlflowException as error:
            raise RegistryError(f"registry {self._url} (setting registry_url): {error.message}") from None

    def record(self, model_version: str, training: Training) -> Version:
        """Keep a training as a run, and its bundle as a version of the model."""
        client, run = self._client, self._client.create_run(self._experiment, run_name=model_version)
        name = run.info.run_id
        curves = [Metric(label, value, self._now, step) for label, step, value in training.curves]
        finals = [Metric(label, value, self._now, 0) for label, value in training.metrics.items()]
        metrics = [*finals, *curves]
        for start in range(0, len(metrics), _BATCH):
            client.log_batch(name, metrics=metrics[start : start + _BATCH])
        client.log_batch(
            name,
            params=[Param(label, str(value)) for label, value in training.parameters.items()],
            tags=[RunTag("model_version", model_version)],
        )
        for plot in training.plots:
            client.log_artifact(name, str(plot), "plots")
        client.log_text(name, training.card, "card.md")
        client.log_artifacts(name, str(training.bundle), _BUNDLE)
        client.set_terminated(name)
        with suppress(MlflowException):  # it is there already, but the first time
            client.create_registered_model(MODEL, description="Orders keywords for campaigns.")
        made = client.create_model_version(
            MODEL,
            f"{run.info.artifact_uri}/{_BUNDLE}",
            name,
            tags={"model_version": model_version},
            description=training.card,
        )
        return self._version(made)

    def holder(self, alias: str) -> Version | None:
        """Who has the alias."""
        try:
            return self._version(self._client.get_model_version_by_alias(MODEL, alias))
        except MlflowException:
            return None

    def get(self, number: str) -> Version:
        """
        Raises:
            RegistryError: there is no such version.
        """
        try:
            return self._version(self._client.get_model_version(MODEL, number))
        except MlflowException as error:
            raise RegistryError(f"registry {self._url}: version {number} of {MODEL}: {error.message}") from None

    def challenge(self, version: Version) -> None:
        """Give it the challenger's alias."""
        self._client.set_registered_model_alias(MODEL, CHALLENGER, version.number)

    def crown(self, version: Version) -> None:
        """Make it champion, remember whom it replaced, and take the challenger's alias off it."""
        before, challenger = self.holder(CHAMPION), self.holder(CHALLENGER)
        if before and before.number != version.number:
            self._client.set_model_version_tag(MODEL, version.number, _REPLACED, before.number)
        self._client.set_registered_model_alias(MODEL, CHAMPION, version.number)
        if challenger and challenger.number == version.number:
            self._client.delete_registered_model_alias(MODEL, CHALLENGER)

    def restore(self, version: Version) -> None:
        """Make it champion again, as if its successor had never been: whom it replaced itself stays as it was."""
        self._client.set_registered_model_alias(MODEL, CHAMPION, version.number)

    def fetch(self, version: Version, into: Path) -> Path:
        """Copy the version's bundle into the folder `into`; where it lies there.

        Raises:
            RegistryError: it is gone.
        """
        into.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self._client.download_artifacts(version.run, _BUNDLE, str(into)))
        except (MlflowException, OSError) as error:
            raise RegistryError(f"registry {self._url}: the bundle of version {version.number}: {error}") from None

    def attach(self, version: Version, file: Path) -> None:
        """Keep a file with the version's run."""
        self._client.log_artifact(version.run, str(file))

    @staticmethod
    def _version(found: Any) -> Version:
        tags = found.tags
        return Version(str(found.version), found.run_id, tags.get("model_version", ""), tags.get(_REPLACED))
