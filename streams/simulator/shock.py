"""A sudden demand for one keyword: `rain boots:8x@60s` is eight times the searches from second 60 on."""

from __future__ import annotations

import difflib
import itertools
import re
from dataclasses import dataclass

import numpy as np

from infra.failure import Failure
from streams.simulator.history import events_per_search
from streams.simulator.market import Market
from streams.simulator.sellers import NEVER_MS
from streams.simulator.truth import promoted_values

AUTO = "auto"
"""In place of a keyword: the one whose surge concerns the most campaigns that have not adopted it."""
_FORM = re.compile(r"^(?P<keyword>.+):(?P<factor>\d+(\.\d+)?)x@(?P<at>\d+(\.\d+)?)s$")
_SHARES_FOR_AUTO = (0.0012, 0.01)
"""Share of all searches that an automatic keyword has: enough to be noticed, room enough to grow."""
_MEASURABLE_PER_S = 0.5
"""So often is a keyword searched whose surge shows within seconds."""
_SEVERAL = 3
"""A keyword that shows so soon is preferred if it comes to so many campaigns."""
_LIST = 20
"""Length of a campaign's list."""


class WrongShock(Failure):
    """The shock has another form, or names a keyword that nobody types."""

    exit_code = 2


@dataclass(frozen=True)
class Shock:
    """Demand for a concept times `factor` from `at_s` seconds after the start on."""

    keyword: str
    """The concept's text that is typed most."""
    concept: int
    factor: float
    at_s: float


def parse_shock(text: str, market: Market, rate: float) -> Shock:
    """The shock that `KEYWORD:FACTORx@SECONDSs` means in this market at `rate` events/s. Raises `WrongShock`."""
    found = _FORM.match(text.strip())
    if not found:
        raise WrongShock(f"--shock: got {text!r}; write KEYWORD:FACTORx@SECONDSs, e.g. 'rain boots:8x@60s'")
    factor, at_s = float(found["factor"]), float(found["at"])
    if found["keyword"] == AUTO:
        return _shock(market, choose(market, factor, rate), factor, at_s)
    keyword = found["keyword"].strip().lower()
    known = {written.lower(): place for place, written in reversed(list(enumerate(market.keywords.text)))}
    if keyword not in known:
        near = difflib.get_close_matches(keyword, known, n=3, cutoff=0.5) or market.keywords.text[:3]
        raise WrongShock(f"--shock: nobody types {keyword!r} in this market; near it: {', '.join(near)}; or {AUTO}")
    return _shock(market, int(market.keywords.concept[known[keyword]]), factor, at_s)


def _shock(market: Market, concept: int, factor: float, at_s: float) -> Shock:
    return Shock(market.keywords.text[market.keywords.first[concept]], concept, factor, at_s)


def choose(market: Market, factor: float, rate: float) -> int:
    """The concept that, with `factor` times the demand, truly comes into the list of the most campaigns.

    It is searched neither seldom nor very often, and the campaigns that it comes to have not adopted it. One that
    `rate` events/s search every two seconds at least goes before all others, if it comes to several campaigns.
    """
    concepts, campaigns = market.concepts, market.campaigns
    low, high = _SHARES_FOR_AUTO
    intensity = market.demand.intensity(np.array([market.plan.until_ms]))[0]
    share = intensity / intensity.sum()
    eligible = (concepts.shelf >= 0) & ~concepts.curious & (share >= low) & (share <= high)
    running = (campaigns.ends == NEVER_MS) & ~campaigns.paused
    item, concept, campaign, value = promoted_values(market)
    adopted = {(owner, choice.concept) for owner, choices in enumerate(campaigns.choices) for choice in choices}
    gained: set[tuple[int, int]] = set()
    begins = np.flatnonzero(np.r_[True, item[1:] != item[:-1], True])
    for first, last in itertools.pairwise(begins.tolist()):
        owner = int(campaign[first])
        if not running[owner]:
            continue
        asked, worth = concept[first:last], value[first:last]
        ordered = np.sort(worth)
        before = len(worth) - np.searchsorted(ordered, worth, side="right")
        after = len(worth) - np.searchsorted(ordered, worth * factor, side="right")
        comes = eligible[asked] & (before >= _LIST) & (after < _LIST // 2)
        gained |= {(owner, rising) for rising in asked[comes].tolist() if (owner, rising) not in adopted}
    reached = np.bincount([rising for _, rising in gained], minlength=len(concepts))
    soon = (share * rate / events_per_search(market) >= _MEASURABLE_PER_S) & (reached >= _SEVERAL)
    return int(np.argmax(reached + len(campaigns) * soon + eligible * share))
