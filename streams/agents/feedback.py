"""What sellers did with suggestions, checked and counted."""

from __future__ import annotations

from collections.abc import Sequence

from infra import metrics
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.decoding import MessageDecoder
from streams.contracts.messages import Feedback
from streams.deadletters.deadletter import DeadLetters
from streams.exactly_once import Outgoing
from streams.stage import Record


class FeedbackAgent:
    """Feedback is checked and counted. Scoring workers read the topic themselves for what their sellers dismissed."""

    name = "feedback"

    def __init__(self, settings: Settings) -> None:
        self.topic = Topics.of(settings).feedback
        self._letters = DeadLetters(settings)
        self._decoder = MessageDecoder(Feedback, self.topic.max_message_bytes)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        letters = []
        for record in records:
            try:
                feedback = self._decoder.decode(record.value or b"")
            except Exception as error:
                letters.append(self._letters.bad(record, error, now_ms))
            else:
                self._letters.good(record)
                metrics.FEEDBACK.labels(feedback.action).inc()
        return letters
