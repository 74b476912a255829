"""The offline store as Feast loads it (`offline_store.type` in feature_store.yaml): DuckDB over the archived log.

Feast's DuckDB store joins each row asked for with *all* earlier rows of its entity and keeps the newest. A busy entity,
such as a category, has a log row a second, so that is a product of millions. Here DuckDB's as-of join takes the newest
row directly. The result is Feast's own (a test compares both); only how it is computed differs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import ibis
import pandas as pd
from feast import FeatureView, OnDemandFeatureView, RepoConfig
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.ibis import IbisRetrievalJob
from feast.infra.offline_stores.offline_store import RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from ibis.expr.datatypes import Timestamp
from ibis.expr.types import Table
from pydantic import Field

from feature_repo.repository import settings

_ROW = "__row"
_UTC = Timestamp(timezone="UTC")


class KeypulseDuckDBOfflineStoreConfig(DuckDBOfflineStoreConfig):
    """Feast's options for DuckDB, and the archive's folder: `features` in `KEYPULSE_HOME` where none is given."""

    type: Literal["feature_repo.offline_store.KeypulseDuckDBOfflineStore"] = (
        "feature_repo.offline_store.KeypulseDuckDBOfflineStore"
    )
    folder: Path = Field(default_factory=lambda: settings().feature_log_path.absolute())


class KeypulseDuckDBOfflineStore(DuckDBOfflineStore):
    """DuckDB store whose point-in-time join is an as-of join. Paths of sources lie within `config.folder`."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
    ) -> IbisRetrievalJob:
        """As `OfflineStore.get_historical_features`; `entity_df` is a data frame. Rows keep their order.

        With `filter_by_created_timestamp` a row is joined only when it was created by the moment asked for.
        """
        if not isinstance(entity_df, pd.DataFrame):
            raise ValueError("entity_df: give a pandas DataFrame; SQL is not supported by this store")
        # DuckDB takes a table in memory for a few rows, for which it would go through the whole log row by row.
        ibis.get_backend().raw_sql("SET asof_loop_join_threshold = 0")
        moment = infer_event_timestamp_from_entity_df(dict(entity_df.dtypes.items()))
        asked = ibis.memtable(entity_df.assign(**{_ROW: range(len(entity_df))}))
        asked = asked.mutate(**{moment: asked[moment].cast(_UTC)})
        joined = asked
        for view in feature_views:
            prefix = f"{view.projection.name_to_use()}:"
            features = [reference.removeprefix(prefix) for reference in feature_refs if reference.startswith(prefix)]
            found = _newest(config.offline_store.folder, view, features, asked, moment, filter_by_created_timestamp)
            if full_feature_names:
                found = found.rename({f"{view.projection.name_to_use()}__{name}": name for name in features})
            joined = joined.left_join(found, _ROW, rname="{name}_found").drop(f"{_ROW}_found")
        joined = joined.order_by(_ROW).drop(_ROW)
        return IbisRetrievalJob(
            joined,
            OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            full_feature_names,
            metadata=RetrievalMetadata(
                features=feature_refs,
                keys=[name for name in entity_df.columns if name != moment],
                min_event_timestamp=entity_df[moment].min(),
                max_event_timestamp=entity_df[moment].max(),
            ),
            data_source_writer=None,
            staging_location=None,
            staging_location_endpoint_override=None,
            repo_path=str(config.repo_path),
        )


def _newest(folder: Path, view: FeatureView, features: list[str], asked: Table, moment: str, by_created: bool) -> Table:
    """`_ROW` and features of the newest row of each row's entity that was there at its moment."""
    source = view.batch_source
    event, created = source.timestamp_field, source.created_timestamp_column
    keys = view.projection.join_key_map or {column.name: column.name for column in view.entity_columns}
    log = ibis.read_parquet(folder / source.path).select(*keys, event, created, *features)
    log = log.rename({f"__{name}": name for name in [*keys, event, created]})
    log = log.mutate(__event=log[f"__{event}"].cast(_UTC), __created=log[f"__{created}"].cast(_UTC))
    # Of rows of one moment the last created stands; where creation counts, an older moment created later never does.
    of_entity = [f"__{key}" for key in keys]
    if by_created:
        before = ibis.window(group_by=of_entity, order_by=["__created", "__event"], preceding=None, following=0)
        log = log.mutate(__newest=log["__event"].max().over(before))
        log = log.filter(log["__event"] == log["__newest"])
    same = [*of_entity, "__created"] if by_created else [*of_entity, "__event"]
    last = ibis.window(group_by=same, order_by=[ibis.desc("__event"), ibis.desc("__created")])
    log = log.mutate(__rank=ibis.row_number().over(last))
    log = log.filter(log["__rank"] == 0)
    entities = asked.select(_ROW, moment, *keys.values())
    on = entities[moment] >= log["__created" if by_created else "__event"]
    found = entities.asof_join(log, on, [entities[key] == log[f"__{name}"] for name, key in keys.items()])
    return found.select(_ROW, *features)
