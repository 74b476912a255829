"""Campaigns into the online store, and what happened to each told to the scoring workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from feature_repo.states import Value
from feature_repo.vectors import entity
from infra.settings import Settings
from infra.topics import Topics
from streams.agents.last_state import last_of_each
from streams.contracts.decoding import MessageDecoder
from streams.contracts.messages import CampaignState, Signal
from streams.deadletters.deadletter import DeadLetters
from streams.exactly_once import Outgoing
from streams.signal_messages import signal_messages
from streams.stage import Record

if TYPE_CHECKING:
    from feature_repo.state_writer import StateSink
    from feature_repo.vector_reader import OnlineSource


class CampaignAgent:
    """Campaigns into the online store, and a signal for each that was created, changed or closed."""

    name = "campaigns"

    def __init__(self, settings: Settings, source: OnlineSource, sink: StateSink) -> None:
        self._topics = Topics.of(settings)
        self.topic = self._topics.campaign_state
        self._letters = DeadLetters(settings)
        self._source = source
        self._sink = sink
        self._decoder = MessageDecoder(CampaignState, self.topic.max_message_bytes)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """The last state of each campaign stands.

        Every campaign in the batch is told of, even if its row is as it was: after a crash between row and signal there
        is no telling whether the signal was sent.
        """
        states, letters = last_of_each(records, self._decoder, self._letters, now_ms)
        if not states:
            return letters
        known = dict(zip(states, self._source.rows("campaign", list(states)), strict=True))
        self._sink.write("campaign", [_campaign_row(state) for state in states.values() if state is not None])
        self._sink.delete("campaign", [campaign for campaign, state in states.items() if state is None])
        signals = []
        for campaign, state in states.items():
            if state is None or state.status == "ended":
                cause = "closed"
            else:
                cause = "created" if known[campaign] is None else "changed"
            signals.append(Signal(entity=entity("campaign", campaign), cause=cause))
        return letters + signal_messages(signals, self._topics.signals, now_ms)


def _campaign_row(state: CampaignState) -> dict[str, Value]:
    return {
        "campaign": state.campaign,
        "state": msgspec.json.encode(state).decode(),
        "status": state.status,
        "seller": state.seller,
        "category": state.category,
        "updated_at": state.updated_at,
    }
