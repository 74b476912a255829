"""Agents keep the online store as the state topics say, tell of what changed, and bury what they can't read."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import msgspec
import pytest

from feature_repo.memory import MemoryStateWriter, MemoryStore
from infra.settings import load
from infra.topics import Topics
from streams.agents.campaigns import CampaignAgent
from streams.agents.catalogue import CatalogueAgent
from streams.agents.discovery import DiscoveryAgent
from streams.agents.feedback import FeedbackAgent
from streams.agents.live_items import MemoryLiveItems
from streams.contracts.decoding import MessageDecoder
from streams.contracts.examples import CAMPAIGN, FEEDBACK, PRODUCT
from streams.contracts.messages import CampaignState, DeadLetter, Envelope, KeywordsSeen, ProductState, Signals
from streams.deadletters.deadletter import TooManyBadRecords
from streams.exactly_once import Outgoing
from streams.stage import Record

NOW = 1_760_000_200_000
SETTINGS = load()
TOPICS = Topics.of(SETTINGS)
replace = msgspec.structs.replace


def records(topic: str, *messages: tuple[str | None, bytes | None]) -> list[Record]:
    return [
        Record(topic, 0, offset, None if key is None else key.encode(), value, NOW)
        for offset, (key, value) in enumerate(messages)
    ]


def told(outgoing: Sequence[Outgoing]) -> dict[str, str]:
    """Entity -> cause of all signals, each found in its entity's partition."""
    found = {}
    for message in outgoing:
        if message.topic == TOPICS.signals.name:
            packed = msgspec.msgpack.decode(message.value or b"", type=Signals)
            assert packed.envelope == Envelope("", 0, 0)
            assert packed.as_of == NOW
            for signal in packed.signals:
                assert crc32(signal.entity.encode()) % SETTINGS.partitions == message.partition
                found[signal.entity] = signal.cause
    return found


def buried(outgoing: Sequence[Outgoing]) -> list[DeadLetter]:
    letters = [message.value or b"" for message in outgoing if message.topic == TOPICS.deadletter.name]
    return [msgspec.json.decode(letter, type=DeadLetter) for letter in letters]


class Catalogue:
    """A catalogue agent over a store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore(SETTINGS)
        self.live = MemoryLiveItems()
        self._agent = CatalogueAgent(SETTINGS, self.store, MemoryStateWriter(self.store), self.live)

    def take(self, *messages: tuple[str | None, bytes | None]) -> list[Outgoing]:
        return self._agent.handle(records(TOPICS.product_state.name, *messages), NOW)

    def put(self, *states: ProductState) -> list[Outgoing]:
        return self.take(*((state.item, msgspec.json.encode(state)) for state in states))

    def live_items(self, category: str) -> object:
        [row] = self.store.rows("category_items", [category])
        return None if row is None else row["live_items"]


def item(name: str, category: str = "shoes") -> ProductState:
    return replace(PRODUCT, item=name, category=category)


def test_a_product_becomes_a_row() -> None:
    catalogue = Catalogue()
    catalogue.put(PRODUCT)
    [row] = catalogue.store.rows("product", [PRODUCT.item])
    assert row == {
        "title": PRODUCT.title,
        "category": "shoes",
        "category_path": ["fashion", "shoes"],
        "price": 4_999,
        "shipping": 0,
        "condition": "new",
        "brand": "Aquadry",
        "seller": "m-1",
        "specification": '{"colour":"green","material":"rubber"}',
        "updated_at": PRODUCT.updated_at,
    }


def test_live_items_follow_products_that_come_move_and_go() -> None:
    catalogue = Catalogue()
    catalogue.put(item("a"), item("b"), item("c", "hats"))
    assert (catalogue.live_items("shoes"), catalogue.live_items("hats")) == (2, 1)
    catalogue.put(item("a", "hats"))
    assert (catalogue.live_items("shoes"), catalogue.live_items("hats")) == (1, 2)
    catalogue.take(("b", None))
    assert catalogue.live_items("shoes") == 0
    assert catalogue.store.rows("product", ["b"]) == [None]
    catalogue.put(item("a", "shoes"), item("a", "boots"))
    assert [catalogue.live_items(name) for name in ("shoes", "hats", "boots")] == [0, 1, 1]


def test_taking_a_batch_again_changes_nothing() -> None:
    catalogue = Catalogue()
    for _ in range(2):
        catalogue.put(item("a"), item("b"))
        catalogue.take(("b", b""))
    assert catalogue.live_items("shoes") == 1


def test_a_crash_between_sets_and_rows_is_mended_by_the_batch_taken_again() -> None:
    catalogue = Catalogue()
    catalogue.put(item("a"))
    write = MemoryStateWriter(catalogue.store)

    class Crashing(MemoryStateWriter):
        def write(self, view: str, rows: object) -> None:
            raise ConnectionError

    agent = CatalogueAgent(SETTINGS, catalogue.store, Crashing(catalogue.store), catalogue.live)
    batch = records(TOPICS.product_state.name, ("a", msgspec.json.encode(item("a", "hats"))))
    with pytest.raises(ConnectionError):
        agent.handle(batch, NOW)
    CatalogueAgent(SETTINGS, catalogue.store, write, catalogue.live).handle(batch, NOW)
    assert catalogue.live.counts(["shoes", "hats"]) == {"hats": 1, "shoes": 0}
    assert (catalogue.live_items("shoes"), catalogue.live_items("hats")) == (0, 1)


def test_signals_tell_of_products_that_came_changed_or_went() -> None:
    catalogue = Catalogue()
    assert told(catalogue.put(item("a"))) == {"item:a": "created"}
    assert told(catalogue.put(replace(item("a"), updated_at=NOW))) == {}
    assert told(catalogue.put(replace(item("a"), price=1), item("b"))) == {"item:a": "changed", "item:b": "created"}
    assert told(catalogue.take(("a", None), ("never", None))) == {"item:a": "closed"}


class Campaigns:
    """A campaign agent over a store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore(SETTINGS)
        self._agent = CampaignAgent(SETTINGS, self.store, MemoryStateWriter(self.store))

    def take(self, *messages: tuple[str | None, bytes | None]) -> list[Outgoing]:
        return self._agent.handle(records(TOPICS.campaign_state.name, *messages), NOW)

    def put(self, *states: CampaignState) -> list[Outgoing]:
        return self.take(*((state.campaign, msgspec.json.encode(state)) for state in states))


def test_a_campaign_becomes_a_row_that_holds_its_whole_state() -> None:
    campaigns = Campaigns()
    campaigns.put(CAMPAIGN)
    [row] = campaigns.store.rows("campaign", [CAMPAIGN.campaign])
    assert row is not None
    assert msgspec.json.decode(str(row["state"]), type=CampaignState) == CAMPAIGN
    assert (row["status"], row["seller"], row["category"]) == ("active", "m-1", "shoes")


def test_signals_tell_of_campaigns_that_were_created_changed_or_closed() -> None:
    campaigns = Campaigns()
    assert told(campaigns.put(CAMPAIGN)) == {"campaign:c-3": "created"}
    assert told(campaigns.put(CAMPAIGN)) == {"campaign:c-3": "changed"}
    assert told(campaigns.put(replace(CAMPAIGN, status="paused"))) == {"campaign:c-3": "changed"}
    assert told(campaigns.put(replace(CAMPAIGN, status="ended"))) == {"campaign:c-3": "closed"}
    assert told(campaigns.take(("c-3", None))) == {"campaign:c-3": "closed"}
    assert campaigns.store.rows("campaign", ["c-3"]) == [None]
    assert told(campaigns.take(("c-3", None))) == {"campaign:c-3": "closed"}, "told again: a crash may have lost it"


def test_many_campaigns_are_packed_into_one_message_a_partition() -> None:
    outgoing = Campaigns().put(*(replace(CAMPAIGN, campaign=f"c-{n}") for n in range(100)))
    assert len(outgoing) == SETTINGS.partitions
    assert len(told(outgoing)) == 100


def test_what_is_no_state_is_buried_and_the_rest_is_taken() -> None:
    campaigns = Campaigns()
    good = msgspec.json.encode(CAMPAIGN)
    outgoing = campaigns.take(
        ("c-3", b"{"), ("c-3", good.replace(b'"active"', b'"open"')), ("other", good), (None, None), ("c-3", good)
    )
    assert [(letter.offset, letter.code, letter.field) for letter in buried(outgoing)] == [
        (0, "malformed", "$"),
        (1, "invalid", "$.status"),
        (2, "invalid", "$.campaign"),
        (3, "invalid", "$"),
    ]
    assert told(outgoing) == {"campaign:c-3": "created"}


def test_feedback_is_checked() -> None:
    agent = FeedbackAgent(SETTINGS)
    good = msgspec.json.encode(FEEDBACK)
    outgoing = agent.handle(records(TOPICS.feedback.name, ("c-3", good), ("c-3", b"x"), ("c-3", None)), NOW)
    assert [(letter.offset, letter.code) for letter in buried(outgoing)] == [(1, "malformed"), (2, "malformed")]


def test_an_error_of_ours_buries_the_record_that_it_struck(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue()
    decode = MessageDecoder.decode

    def stumble(decoder: MessageDecoder[ProductState], value: bytes) -> ProductState:
        if b'"i-13"' in value:
            raise ZeroDivisionError("thirteen")
        return decode(decoder, value)

    monkeypatch.setattr(MessageDecoder, "decode", stumble)
    outgoing = catalogue.put(item("i-12"), item("i-13"), item("i-14"))
    [letter] = buried(outgoing)
    assert (letter.offset, letter.code) == (1, "failed")
    assert "ZeroDivisionError: thirteen" in letter.stack
    assert told(outgoing) == {"item:i-12": "created", "item:i-14": "created"}


def test_too_many_bad_records_of_a_partition_stop_an_agent() -> None:
    agent = FeedbackAgent(load(deadletter_max_run=3))
    good = msgspec.json.encode(FEEDBACK)
    bad = records(TOPICS.feedback.name, *[("c-3", b"x")] * 3)
    assert len(buried(agent.handle(bad, NOW))) == 3
    elsewhere = [replace(record, partition=1) for record in bad]
    assert len(buried(agent.handle(elsewhere, NOW))) == 3
    agent.handle(records(TOPICS.feedback.name, ("c-3", good)), NOW)
    agent.handle(bad, NOW)
    with pytest.raises(TooManyBadRecords, match="4 bad records in a row"):
        agent.handle(bad[:1], NOW)


def test_discovery_hands_each_new_keyword_on_once() -> None:
    class Index:
        added: list[list[tuple[str, str]]] = []  # noqa: RUF012

        def add(self, keywords: Sequence[tuple[str, str]]) -> None:
            self.added.append(list(keywords))

    index = Index()
    agent = DiscoveryAgent(TOPICS, index)
    seen = [
        KeywordsSeen(Envelope("shopper/0", 1, 1), [("boot rain", "rain boots"), ("hat", "hats")]),
        KeywordsSeen(Envelope("shopper/1", 1, 1), [("boot rain", "boots for rain")]),
        KeywordsSeen(Envelope("shopper/1", 1, 2), []),
    ]
    messages = records(TOPICS.keywords_seen.name, *((None, msgspec.msgpack.encode(one)) for one in seen))
    assert agent.handle(messages, NOW) == []
    assert agent.handle(messages[2:], NOW) == []
    assert index.added == [[("boot rain", "rain boots"), ("hat", "hats")]]
