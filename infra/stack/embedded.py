"""librdkafka's in-process broker: the last resort where there is no Java. In memory, one machine, nothing durable."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from pathlib import Path

from infra.kafka import QUIET, admin
from infra.settings import Settings

ADDRESS = "address"
WHAT_IT_GIVES_UP = (
    "records are kept in memory only and the oldest are dropped past a few MB a partition; no consumer lag, no topic "
    "settings, 4 partitions always; lists come two to three times as late, which is more than the demo allows"
)


class EmbeddedBroker:
    """Speaks Kafka's protocol to any client. Good for a demo; never for correctness, lag or load."""

    name = "kafka"
    setting = "kafka_servers"
    kind = "librdkafka-mock"

    def install(self) -> str:
        return version("confluent-kafka")

    def command(self, folder: Path, port: int) -> list[str]:
        (folder / ADDRESS).unlink(missing_ok=True)
        return [sys.executable, "-u", "-m", "infra.stack.embedded", str(folder / ADDRESS)]

    def url(self, folder: Path, port: int) -> str:
        return (folder / ADDRESS).read_text()

    def probe(self, settings: Settings) -> str | None:
        admin(settings, **QUIET).list_topics(timeout=2)
        return None


def serve(address: Path) -> None:
    """Run the broker until SIGTERM; its address, whose port librdkafka chooses, goes into the file `address`."""
    from confluent_kafka import Producer

    broker_owner = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = broker_owner.list_topics(timeout=10).brokers.values()
    unfinished = address.with_suffix(".new")
    unfinished.write_text(f"{broker.host}:{broker.port}")
    unfinished.rename(address)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    serve(Path(sys.argv[1]))
