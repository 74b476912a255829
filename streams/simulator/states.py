"""Products and campaigns as their services tell them: two files of JSON lines, and the state topics."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra import kafka
from infra.failure import Failure
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.events import SCHEMA_VERSION
from streams.contracts.messages import CampaignKeyword, CampaignState, CampaignStatus, ProductState
from streams.simulator.market import Market
from streams.simulator.sellers import NEVER_MS
from streams.simulator.sending import Sender
from streams.simulator.store import MarketMissing
from streams.simulator.truth import campaign_id


class NotAcknowledged(Failure):
    """Records that the broker may not have."""

    exit_code = 3


PRODUCTS, CAMPAIGNS = "products.jsonl", "campaigns.jsonl"


def campaign_states(market: Market) -> list[CampaignState]:
    """Each campaign as of the end of the history."""
    campaigns, products, until = market.campaigns, market.catalogue.products, market.plan.until_ms
    budgets = market.daily_budgets()
    states = []
    for number in range(len(campaigns)):
        starts, ends = int(campaigns.starts[number]), int(campaigns.ends[number])
        status: CampaignStatus = "ended" if ends <= until else "paused" if campaigns.paused[number] else "active"
        states.append(
            CampaignState(
                schema_version=SCHEMA_VERSION,
                campaign=campaign_id(number),
                seller=campaigns.seller[number],
                items=[products[item].item for item in campaigns.items[number]],
                keywords=[
                    CampaignKeyword(text=campaigns.texts[choice.text], match_type=choice.match_type, bid=choice.bid)
                    for choice in campaigns.choices[number]
                ],
                category=products[campaigns.items[number][0]].category,
                ad_rate=float(campaigns.ad_rate[number]),
                daily_budget=int(budgets[number]),
                status=status,
                starts_at=starts,
                ends_at=None if ends == NEVER_MS else ends,
                updated_at=ends if status == "ended" else starts,
            )
        )
    return states


def write_states(market: Market, folder: Path) -> None:
    """Write products.jsonl and campaigns.jsonl."""
    encode = msgspec.json.Encoder().encode_lines
    (folder / PRODUCTS).write_bytes(encode(market.catalogue.products))
    (folder / CAMPAIGNS).write_bytes(encode(campaign_states(market)))


def publish_states(settings: Settings, folder: Path) -> dict[str, int]:
    """Publish the folder's products and campaigns to the state topics; records by topic.

    Raises:
        MarketMissing: the folder holds no products or campaigns.
        Unreachable, TopicMissing: no broker, or no topic.
        NotAcknowledged: the broker did not take all.
        msgspec.ValidationError: a line is no product or campaign.
    """
    topics = Topics.of(settings)
    kafka.wait_ready(settings, topics.product_state, topics.campaign_state)
    sender = Sender(kafka.producer(settings))
    sent = {}
    for file, topic, key_of in (
        (PRODUCTS, topics.product_state.name, _item),
        (CAMPAIGNS, topics.campaign_state.name, _campaign),
    ):
        if not (folder / file).exists():
            raise MarketMissing(folder, file)
        lines = (folder / file).read_bytes().splitlines()
        for line in lines:
            sender.send(topic, key_of(line).encode(), line)
        sender.poll()
        sent[topic] = len(lines)
    if lost := sender.finish():
        raise NotAcknowledged(f"Kafka at {settings.kafka_servers} did not acknowledge {lost} state records")
    return sent


def _item(line: bytes) -> str:
    return msgspec.json.decode(line, type=ProductState).item


def _campaign(line: bytes) -> str:
    return msgspec.json.decode(line, type=CampaignState).campaign
