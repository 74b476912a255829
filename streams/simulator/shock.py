"""A sudden demand for one keyword: `rain boots:8x@60s` is eight times the searches from second 60 on."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import numpy as np

from infra.failure import Failure
from streams.simulator.market import Market
from streams.simulator.relevance import fit
from streams.simulator.sellers import NEVER_MS

AUTO = "auto"
"""In place of a keyword: one that many campaigns could use and none has."""
_FORM = re.compile(r"^(?P<keyword>.+):(?P<factor>\d+(\.\d+)?)x@(?P<at>\d+(\.\d+)?)s$")
_SHARE_FOR_AUTO = 0.004
"""Share of all searches near which an automatic keyword lies: enough to be noticed, room enough to grow."""
_RELEVANT = 0.5


class WrongShock(Failure):
    """The shock has another form, or names a keyword that nobody types."""

    exit_code = 2


@dataclass(frozen=True)
class Shock:
    """Demand for a concept times `factor` from `at_s` seconds after the start on."""

    keyword: str
    concept: int
    factor: float
    at_s: float


def parse_shock(text: str, market: Market) -> Shock:
    """The shock that `KEYWORD:FACTORx@SECONDSs` means in this market. Raises `WrongShock`."""
    found = _FORM.match(text.strip())
    if not found:
        raise WrongShock(f"--shock: got {text!r}; write KEYWORD:FACTORx@SECONDSs, e.g. 'rain boots:8x@60s'")
    factor, at_s = float(found["factor"]), float(found["at"])
    if found["keyword"] == AUTO:
        concept = choose(market)
        return Shock(market.concepts.text[concept], concept, factor, at_s)
    keyword = found["keyword"].strip().lower()
    known = {written.lower(): place for place, written in reversed(list(enumerate(market.keywords.text)))}
    if keyword not in known:
        near = difflib.get_close_matches(keyword, known, n=3, cutoff=0.5) or market.keywords.text[:3]
        raise WrongShock(f"--shock: nobody types {keyword!r} in this market; near it: {', '.join(near)}; or {AUTO}")
    concept = int(market.keywords.concept[known[keyword]])
    return Shock(keyword, concept, factor, at_s)


def choose(market: Market) -> int:
    """A concept of middling volume that suits the items of the most running campaigns which have not adopted it."""
    concepts, campaigns = market.concepts, market.campaigns
    running = np.flatnonzero((campaigns.ends == NEVER_MS) & ~campaigns.paused)
    candidates = np.flatnonzero((concepts.shelf >= 0) & ~concepts.curious)
    distance = np.abs(np.log(concepts.weight[candidates] / _SHARE_FOR_AUTO))
    candidates = candidates[np.argsort(distance, kind="stable")[:40]]
    suited = np.zeros(len(candidates))
    for campaign in running.tolist():
        adopted = [choice.concept for choice in campaigns.choices[campaign]]
        items = campaigns.items[campaign]
        relevance = fit(market.catalogue, concepts, items[:, None], candidates[None, :]).relevance.max(axis=0)
        suited += (relevance >= _RELEVANT) & ~np.isin(candidates, adopted)
    return int(candidates[np.argmax(suited * (0.2 + concepts.buying[candidates]))])
