"""Every topic: its key, partitions, retention, schema, who writes it and who reads it.

Partitions are fixed for a deployment: another number moves keys to other owners and means a rebuild.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from infra.settings import Settings

Cleanup = Literal["delete", "compact"]
TimestampType = Literal["CreateTime", "LogAppendTime"]


@dataclass(frozen=True)
class Topic:
    """One topic as it is created on the broker. Retention is in milliseconds; -1 keeps for ever."""

    name: str
    schema: str
    key: str
    partitions: int
    written_by: str
    read_by: str
    retention_ms: int = -1
    cleanup: Cleanup = "delete"
    timestamp_type: TimestampType = "CreateTime"
    max_message_bytes: int = 1_048_576

    def config(self) -> dict[str, str]:
        """The broker's configuration entries for this topic."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": self.timestamp_type,
            "max.message.bytes": str(self.max_message_bytes),
        }


@dataclass(frozen=True)
class Topics:
    """The registry. Build it with `Topics.of(settings)`; iterate to get every topic."""

    search: Topic
    impression: Topic
    click: Topic
    purchase: Topic
    deltas: Topic
    features_log: Topic
    signals: Topic
    keywords_seen: Topic
    campaign_state: Topic
    product_state: Topic
    suggestions: Topic
    feedback: Topic
    exposures: Topic
    controls: Topic
    dictionary: Topic
    deadletter: Topic
    by_name: dict[str, Topic] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {topic.name: topic for topic in self})

    def __iter__(self) -> Iterator[Topic]:
        return (value for value in vars(self).values() if isinstance(value, Topic))

    @property
    def events(self) -> tuple[Topic, Topic, Topic, Topic]:
        """The four event topics, in the order in which their schemas are numbered."""
        return (self.search, self.impression, self.click, self.purchase)

    @classmethod
    def of(cls, settings: Settings) -> Topics:
        """All topics as `settings` sizes them."""
        prefix, partitions = settings.topic_prefix, settings.partitions

        def event(name: str, schema: str) -> Topic:
            return Topic(
                f"{prefix}events.{name}",
                schema,
                key="shopper (murmur2)",
                partitions=partitions,
                written_by="event producers",
                read_by="shopper stage",
                retention_ms=settings.event_retention_ms,
                timestamp_type="LogAppendTime",
            )

        day = 24 * 3_600_000
        return cls(
            search=event("search", "Search"),
            impression=event("impression", "Impression"),
            click=event("click", "Click"),
            purchase=event("purchase", "Purchase"),
            deltas=Topic(
                f"{prefix}feature.deltas",
                "FeatureDeltas",
                key="entity (explicit partition)",
                partitions=partitions,
                written_by="shopper stage",
                read_by="entity stage",
                retention_ms=2 * day,
                max_message_bytes=16_777_216,
            ),
            features_log=Topic(
                f"{prefix}features.log",
                "FeatureRows",
                key="entity (explicit partition)",
                partitions=partitions,
                written_by="entity stage",
                read_by="feature archive",
                retention_ms=7 * day,
                max_message_bytes=16_777_216,
            ),
            signals=Topic(
                f"{prefix}signals",
                "Signals",
                key="entity (explicit partition)",
                partitions=partitions,
                written_by="entity stage, Faust agents",
                read_by="every scoring worker",
                retention_ms=day,
                max_message_bytes=16_777_216,
            ),
            keywords_seen=Topic(
                f"{prefix}keywords.seen",
                "KeywordsSeen",
                key="keyword (explicit partition)",
                partitions=partitions,
                written_by="shopper stage",
                read_by="keyword discovery",
                retention_ms=7 * day,
            ),
            campaign_state=Topic(
                f"{prefix}state.campaign",
                "CampaignState",
                key="campaign",
                partitions=partitions,
                written_by="campaign service",
                read_by="campaign agent; scoring workers, when their signals are too old",
                cleanup="compact",
            ),
            product_state=Topic(
                f"{prefix}state.product",
                "ProductState",
                key="item",
                partitions=partitions,
                written_by="catalogue service",
                read_by="catalogue agent",
                cleanup="compact",
            ),
            suggestions=Topic(
                f"{prefix}suggestions.campaign",
                "SuggestionSet",
                key="campaign (murmur2)",
                partitions=partitions,
                written_by="scoring worker",
                read_by="campaign service",
                cleanup="compact",
            ),
            feedback=Topic(
                f"{prefix}feedback.suggestion",
                "Feedback",
                key="campaign (murmur2)",
                partitions=partitions,
                written_by="campaign service",
                read_by="feedback agent, every scoring worker",
                retention_ms=90 * day,
            ),
            exposures=Topic(
                f"{prefix}experiment.exposure",
                "Exposure",
                key="campaign (murmur2)",
                partitions=partitions,
                written_by="scoring worker",
                read_by="keypulse experiment collect",
                retention_ms=180 * day,
            ),
            controls=Topic(
                f"{prefix}control.suggestions",
                "Control",
                key="category, or * for all",
                partitions=1,
                written_by="keypulse suggestions pause|resume",
                read_by="every scoring worker",
                cleanup="compact",
            ),
            dictionary=Topic(
                f"{prefix}keyword.dictionary",
                "DictionaryEntry",
                key="folded text, or HEAD",
                partitions=1,
                written_by="keypulse keywords publish",
                read_by="shopper stage and recount, when they start; scoring workers, its version",
                cleanup="compact",
            ),
            deadletter=Topic(
                f"{prefix}deadletter",
                "DeadLetter",
                key="source topic",
                partitions=partitions,
                written_by="every consumer",
                read_by="on-call, keypulse deadletter",
                retention_ms=30 * day,
                max_message_bytes=4_194_304,
            ),
        )
