"""One example of each public message: in the contract documents, and where a test needs a right one to make wrong."""

from __future__ import annotations

from msgspec import Struct

from streams.contracts.events import SCHEMA_VERSION, Click, Impression, Purchase, Search
from streams.contracts.messages import (
    CampaignKeyword,
    CampaignState,
    Changes,
    Contribution,
    DeadLetter,
    DictionaryEntry,
    ExposedKeyword,
    Exposure,
    Feedback,
    Move,
    ProductState,
    Reason,
    Suggestion,
    SuggestionSet,
    Trigger,
)

_AT = 1_760_000_000_000

SEARCH = Search(
    event_id="e-1001",
    event_time=_AT,
    schema_version=SCHEMA_VERSION,
    shopper="s-77",
    search_id="q-501",
    query="rain boots women",
    category="shoes",
    results=["i-9", "i-12"],
)
IMPRESSION = Impression(
    event_id="e-1002",
    event_time=_AT + 40,
    schema_version=SCHEMA_VERSION,
    shopper="s-77",
    item="i-9",
    category="shoes",
    campaign="c-3",
    keyword="rain boots women",
    position=1,
    search_id="q-501",
)
CLICK = Click(
    event_id="e-1003",
    event_time=_AT + 5_200,
    schema_version=SCHEMA_VERSION,
    shopper="s-77",
    click_id="k-88",
    item="i-9",
    category="shoes",
    campaign="c-3",
    keyword="rain boots women",
    position=1,
    search_id="q-501",
)
PURCHASE = Purchase(
    event_id="e-1004",
    event_time=_AT + 95_000,
    schema_version=SCHEMA_VERSION,
    shopper="s-77",
    order_id="o-4",
    item="i-9",
    category="shoes",
    quantity=1,
    unit_price=4_999,
    currency="USD",
)
CAMPAIGN = CampaignState(
    schema_version=SCHEMA_VERSION,
    campaign="c-3",
    seller="m-1",
    items=["i-9"],
    keywords=[CampaignKeyword(text="rain boots women", match_type="exact", bid=25)],
    category="shoes",
    ad_rate=0.05,
    daily_budget=2_000,
    status="active",
    starts_at=_AT - 86_400_000,
    updated_at=_AT,
)
PRODUCT = ProductState(
    schema_version=SCHEMA_VERSION,
    item="i-9",
    seller="m-1",
    title="Women's rain boots, waterproof, green",
    category="shoes",
    category_path=["fashion", "shoes"],
    price=4_999,
    shipping=0,
    condition="new",
    brand="Aquadry",
    specification={"colour": "green", "material": "rubber"},
    updated_at=_AT,
)
SUGGESTIONS = SuggestionSet(
    schema_version=SCHEMA_VERSION,
    campaign="c-3",
    seller="m-1",
    version=7,
    created_at=_AT + 96_000,
    as_of=_AT + 95_800,
    model_version="ranker-20251009-1",
    index_version="keywords-20251009-1",
    trigger=Trigger(
        entity="keyword:boot rain",
        cause="moved",
        metric="searches",
        window="1h",
        before=40,
        after=320,
        event_time=_AT + 95_000,
    ),
    suggestions=[
        Suggestion(
            suggestion_id="c-3.7.boot rain",
            keyword="rain boots",
            canonical="boot rain",
            rank=1,
            score=3.1,
            expected_purchases=3.1,
            expected_searches=5_200.0,
            p_shown=0.31,
            p_click=0.048,
            p_purchase=0.04,
            adopted=False,
            items=["i-9"],
            sources=["dense", "rising"],
            reasons=[Reason(code="surge", text="searches up 8x in the last hour")],
            contributions=[Contribution(feature="similarity", value=0.82, contribution=0.41)],
        )
    ],
    changes=Changes(
        added=[], removed=["waterproof"], kept=["boot rain"], moved=[Move(canonical="boot rain", before=3, after=1)]
    ),
)
FEEDBACK = Feedback(
    schema_version=SCHEMA_VERSION,
    feedback_id="f-12",
    event_time=_AT + 120_000,
    campaign="c-3",
    suggestion_id="c-3.7.boot rain",
    canonical="boot rain",
    action="accepted",
)
EXPOSURE = Exposure(
    schema_version=SCHEMA_VERSION,
    experiment="boots",
    plan_checksum="f16f69ea85b91420283d06e24e3c8ebe59599d6c172d453eb9fbce61bdef2583",
    unit="m-1",
    arm="control",
    campaign="c-3",
    exposed_at=_AT + 96_000,
    model_version="ranker-20251009-1",
    published=False,
    keywords=[ExposedKeyword(canonical="boot rain", rank=1, source="dense", reason="rising")],
)
DICTIONARY_ENTRY = DictionaryEntry(schema_version=SCHEMA_VERSION, version="4b1c6a52f7e0", canonical="headphon wireless")
DEAD_LETTER = DeadLetter(
    topic="events.click",
    partition=2,
    offset=1_201,
    code="invalid",
    field="$.position",
    message="Expected `int` >= 1; send a whole number of 1 to 1000: 1 is the top of the page",
    key=b"s-77",
    value=b'{"position": 0}',
    record_time=_AT,
    seen_at=_AT + 30,
)

EXAMPLES: dict[type[Struct], Struct] = {
    type(example): example
    for example in (
        SEARCH,
        IMPRESSION,
        CLICK,
        PURCHASE,
        CAMPAIGN,
        PRODUCT,
        SUGGESTIONS,
        FEEDBACK,
        EXPOSURE,
        DICTIONARY_ENTRY,
        DEAD_LETTER,
    )
}
