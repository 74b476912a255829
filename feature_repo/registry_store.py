"""Where Feast keeps its registry: under `settings.home`, whatever folder a command is run in."""

from __future__ import annotations

from pathlib import Path

from feast.infra.registry.file import FileRegistryStore
from feast.repo_config import RegistryConfig

from feature_repo.repository import settings


class HomeRegistryStore(FileRegistryStore):
    """A registry file whose path is relative to `settings.home`."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path) -> None:
        home = settings().home.absolute()
        home.mkdir(parents=True, exist_ok=True)
        super().__init__(registry_config.model_copy(update={"path": str(home / registry_config.path)}), repo_path)
