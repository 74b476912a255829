"""The Feast repository as a program uses it: its settings, and a `FeatureStore` for given ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from infra.settings import Settings, load
from infra.stack import state

if TYPE_CHECKING:
    from feast import FeatureStore

FOLDER = Path(__file__).resolve().parent
"""The folder of feature_store.yaml."""

REGISTRY = "registry.db"
"""File under `settings.home` that holds what `feast apply` registered."""


def settings() -> Settings:
    """The running stack's settings, for code that Feast loads.

    Feast's own command runs inside this folder: what is relative to the working folder then means the folder above.
    """
    if Path.cwd() != FOLDER:
        return state.settings()
    env_file = FOLDER.parent / "keypulse.env"
    return state.settings(_env_file=env_file, home=FOLDER.parent / load(_env_file=env_file).home)


def feature_store(settings: Settings) -> FeatureStore:
    """A Feast store with everything registered, whose servers and files are those of `settings`.

    Imports feast, which takes seconds.
    """
    from feast import FeatureStore, RepoConfig
    from feast.repo_config import RegistryConfig

    from feature_repo import definitions
    from feature_repo.codec import PROJECT
    from feature_repo.offline_store import KeypulseDuckDBOfflineStoreConfig
    from feature_repo.online_store import KeypulseRedisOnlineStoreConfig, connection_string

    home = settings.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    store = FeatureStore(
        config=RepoConfig(
            project=PROJECT,
            provider="local",
            registry=RegistryConfig(path=str(home / REGISTRY)),
            online_store=KeypulseRedisOnlineStoreConfig(connection_string=connection_string(settings.online_redis_url)),
            offline_store=KeypulseDuckDBOfflineStoreConfig(folder=settings.feature_log_path.absolute()),
            entity_key_serialization_version=3,
            repo_path=FOLDER,
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on-demand views are called experimental at each start
        store.apply(definitions.all_objects())
    return store
