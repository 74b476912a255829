"""The features of (campaign, item, keyword) rows: one function, for training and serving alike.

Nulls stay NaN and categories stay codes: XGBoost takes both natively.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from feature_repo.derived import derive, derived_names
from feature_repo.vectors import METRICS
from infra.settings import DAY_MS, WINDOW_LENGTHS_MS, Settings
from scorers.keywords.table import Keyword
from scorers.ranking.wording import Wordings, attributes_of
from streams.contracts.messages import CampaignState, ProductState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Vocabulary(msgspec.Struct, frozen=True):
    """What is read off a catalogue. A categorical value's code is its place; one that is not listed is missing."""

    condition: list[str]
    category: list[str]
    attributes: dict[str, list[str]]
    """Word -> attributes (`scorers.ranking.wording`)."""


CATEGORICAL = ("condition", "category")
REFERENCE_POSITION = 1.0
"""Probabilities are published for this place on the page, whose results are always looked at."""
ORGANIC = -1
"""`campaign_of` of a row without a campaign."""

_COUNTED = {
    "item": ("impressions", "clicks", "purchases"),
    "keyword": ("searches", "impressions", "clicks", "purchases"),
    "pair": ("impressions", "clicks", "purchases"),
    "campaign": ("impressions", "clicks", "purchases"),
}
"""What is counted for each kind; units and revenue move with purchases."""
_CATEGORY_RATES = ("ctr", "conversion")
_PRICES = ("price_to_keyword", "price_to_category")
_PLAIN = (
    "dense",
    "lexical",
    "keyword_words",
    "missing_words",
    "contradicted_words",
    "price",
    "shipping",
    "live_items",
    "promoted",
    "ad_rate",
    "bid",
)


@dataclass(frozen=True)
class PairInputs:
    """All that is known of n (campaign, item, keyword) rows, over distinct campaigns, items and keywords."""

    campaigns: list[CampaignState]
    products: list[ProductState]
    keywords: list[Keyword]
    campaign_of: Ints
    """n; index into `campaigns`, or `ORGANIC`."""
    product_of: Ints
    """n; index into `products`; the same for keywords."""
    keyword_of: Ints
    campaign_sums: Floats
    """campaigns x V"""
    item_sums: Floats
    """products x V"""
    category_sums: Floats
    """products x V, of the product's category."""
    keyword_sums: Floats
    """keywords x V"""
    pair_sums: Floats
    """n x V"""
    dense: Floats
    """n; cosine of product and keyword."""
    lexical: Floats
    """n; share of the keyword's words that the product's text holds."""
    live_items: Floats
    """products; items live in the product's category, NaN when not known."""


@dataclass(frozen=True)
class Sums:
    """Vectors of n rows, n x V each, as of each row's moment."""

    item: Floats
    keyword: Floats
    pair: Floats
    campaign: Floats
    category: Floats
    """Of the item's category."""


@dataclass(frozen=True)
class Facts:
    """What else is known of n rows. NaN is not known."""

    dense: Floats
    lexical: Floats
    keyword_words: Floats
    """Words of the canonical form."""
    missing_words: Floats
    """Those of them that the product does not say."""
    contradicted_words: Floats
    """Those of these for which it says something else."""
    price: Floats
    """Minor units, and so is shipping."""
    shipping: Floats
    live_items: Floats
    promoted: Floats
    """1 sponsored, 0 organic."""
    ad_rate: Floats
    """NaN for organic rows, and so is the bid."""
    bid: Floats
    """The campaign's usual one, minor units."""
    condition: Floats
    """Code of the vocabulary, and so is the category."""
    category: Floats


def ranker_windows(windows: Sequence[str]) -> tuple[str, ...]:
    """Of the windows those that the ranker reads: a day and longer, or all when none is that long.

    Shorter ones say how demand moves now (the forecast reads them), hardly how a pair is liked, and history is
    replayed at a coarser pace than they are long.
    """
    long = tuple(name for name in windows if WINDOW_LENGTHS_MS[name] >= DAY_MS)
    return long or tuple(windows)


def feature_names(windows: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `matrix`, in order, when the store has these windows."""
    names = derived_names(ranker_windows(windows))
    of_kinds = [f"{kind}_{names[column]}" for kind in _COUNTED for column in _columns(kind, names)]
    rates = [f"category_{names[column]}" for column in _category_columns(names)]
    return (*of_kinds, *rates, *_PRICES, *_PLAIN, *CATEGORICAL)


def feature_types(windows: Sequence[str]) -> list[str]:
    """XGBoost's type of each column: `q` a quantity, `c` a category's code."""
    return ["c" if name in CATEGORICAL else "q" for name in feature_names(windows)]


def matrix(sums: Sums, facts: Facts, settings: Settings, windows: Sequence[str] | None = None) -> NDArray[np.float32]:
    """n x features, in the order of `feature_names`. `windows`: those that the model reads, of the settings' all that
    rankers do when left out; nothing else of the sums is looked at."""
    used = ranker_windows(settings.windows if windows is None else windows)
    names = derived_names(used)
    columns = [len(METRICS) * settings.windows.index(window) + at for window in used for at in range(len(METRICS))]
    keyword, category = sums.keyword[:, columns], sums.category[:, columns]
    blocks: list[NDArray[np.floating]] = []
    for kind in _COUNTED:
        own: Floats = getattr(sums, kind)
        derived = derive(own[:, columns], category, used, settings)[:, _columns(kind, names)]
        if kind == "campaign":
            derived[facts.promoted == 0] = np.nan
        blocks.append(derived)
    blocks.append(derive(category, category, used, settings)[:, _category_columns(names)])
    blocks.append(np.column_stack([_price_ratio(facts.price, one) for one in (keyword, category)]))
    blocks.append(np.column_stack([getattr(facts, name) for name in (*_PLAIN, *CATEGORICAL)]))
    return np.hstack(blocks).astype(np.float32)


def serving_rows(inputs: PairInputs, vocabulary: Vocabulary, wordings: Wordings | None = None) -> tuple[Sums, Facts]:
    """Sums and facts of rows that are to be scored. `wordings` remembers."""
    n = len(inputs.product_of)
    product, keyword, campaign = inputs.product_of, inputs.keyword_of, inputs.campaign_of
    sums = Sums(
        item=inputs.item_sums[product],
        keyword=inputs.keyword_sums[keyword],
        pair=inputs.pair_sums,
        campaign=inputs.campaign_sums[campaign],
        category=inputs.category_sums[product],
    )
    canonicals = [one.canonical for one in inputs.keywords]
    wordings = wordings or Wordings(vocabulary.attributes)
    lacked = wordings.lacking(inputs.products, canonicals, product, keyword)
    columns = product_columns(inputs.products, vocabulary)
    facts = Facts(
        dense=inputs.dense,
        lexical=inputs.lexical,
        keyword_words=words(canonicals)[keyword],
        missing_words=lacked[:, 0],
        contradicted_words=lacked[:, 1],
        price=columns["price"][product],
        shipping=columns["shipping"][product],
        live_items=inputs.live_items[product],
        promoted=np.ones(n),
        ad_rate=np.array([one.ad_rate for one in inputs.campaigns], np.float64)[campaign],
        bid=np.array([usual_bid(one) for one in inputs.campaigns], np.float64)[campaign],
        condition=columns["condition"][product],
        category=columns["category"][product],
    )
    return sums, facts


def product_columns(products: Sequence[ProductState], vocabulary: Vocabulary) -> dict[str, Floats]:
    """Price, shipping, and the codes of condition and category, one number a product."""
    columns = {
        name: np.array([np.nan if value is None else value for value in values], np.float64)
        for name, values in {
            "price": [product.price for product in products],
            "shipping": [product.shipping for product in products],
        }.items()
    }
    for name in CATEGORICAL:
        codes = {value: float(code) for code, value in enumerate(getattr(vocabulary, name))}
        columns[name] = np.array([codes.get(getattr(product, name), np.nan) for product in products], np.float64)
    return columns


def vocabulary_of(products: Sequence[ProductState]) -> Vocabulary:
    """The vocabulary of a catalogue."""
    return Vocabulary(
        condition=sorted({product.condition for product in products}),
        category=sorted({product.category for product in products}),
        attributes=attributes_of(products),
    )


def in_longest_window(sums: Floats, metric: str) -> Floats:
    """What n vectors (n x V) count of a metric in their longest window, n."""
    return sums[:, METRICS.index(metric) - len(METRICS)]


def usual_bid(campaign: CampaignState) -> float:
    """Median bid of the campaign's keywords; NaN without bids."""
    bids = [keyword.bid for keyword in campaign.keywords if keyword.bid > 0]
    return float(np.median(bids)) if bids else np.nan


def words(canonicals: Sequence[str]) -> Floats:
    """Number of words of each canonical form."""
    return np.array([canonical.count(" ") + 1 for canonical in canonicals], np.float64)


def _price_ratio(price: Floats, sums: Floats) -> Floats:
    """log(price / mean price of what was bought in the longest window); NaN when nothing was, or the price is 0."""
    units, revenue = (in_longest_window(sums, metric) for metric in ("units", "revenue"))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(price * units / revenue)
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _columns(kind: str, names: Sequence[str]) -> list[int]:
    """Of the derived features those that rest on what is counted for the kind."""
    counted = _COUNTED[kind]
    kept = ("ctr_", "conversion_", *(f"log_{metric}_" for metric in counted), *(f"{metric}_" for metric in counted))
    dropped = () if "searches" in counted else ("purchases_per_search_",)
    return [at for at, name in enumerate(names) if name.startswith(kept) and not name.startswith(dropped)]


def _category_columns(names: Sequence[str]) -> list[int]:
    """The category's own rates over its longest window."""
    return [max(at for at, name in enumerate(names) if name.startswith(f"{rate}_")) for rate in _CATEGORY_RATES]
