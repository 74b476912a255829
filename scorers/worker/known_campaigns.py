"""Which campaigns there are, read off `state.campaign`: for a worker whose signals are gone."""

from __future__ import annotations

from infra.settings import Settings
from infra.topics import Topics
from streams.log_reader import log_reader


def known_campaigns(settings: Settings) -> frozenset[str]:
    """Campaigns that the topic holds and that no tombstone deleted, as of now.

    Raises:
        KafkaException, Unreachable: the topic cannot be read.
    """
    topic = Topics.of(settings).campaign_state
    known: dict[str, bool] = {}
    with log_reader(settings, "known-campaigns") as reader:
        for record in reader.until_now(topic):
            known[(record.key or b"").decode(errors="replace")] = record.value is not None
    return frozenset(campaign for campaign, there in known.items() if there)
