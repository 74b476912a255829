"""Scores each campaign with the bundle of its arm. Without an experiment that names one, all with the one promoted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from infra.clock import Clock
from scorers.experiments.arms import Arms
from scorers.scoring.batch import CampaignScores
from scorers.scoring.scorer import Scorer
from scorers.worker.promoted import Promoted
from streams.contracts.messages import CampaignState, Signal, Suggestion

_OWN = ""


class BundleScorers:
    """One scorer for each bundle. Not thread-safe."""

    def __init__(self, promoted: Promoted[Scorer], load: Callable[[Path], Scorer], arms: Arms, clock: Clock) -> None:
        """`load` makes a scorer on the bundle in a folder; it raises `BundleRefused` or `IndexMissing`."""
        self._promoted = promoted
        self._load = load
        self._arms = arms
        self._clock = clock
        self._scorers: dict[str, Scorer] = {_OWN: promoted.current}
        self._bundle_of: dict[str, str] = {}
        """Of the campaigns scored with another bundle than the worker's own."""
        self.news: dict[str, set[str]] = {}

    def renew(self) -> bool:
        """Take up what was promoted since; whether there was something. Between two turns, so that a list is all of
        one model."""
        if not self._promoted.poll():
            return False
        scorer = self._promoted.current
        scorer.succeed(self._scorers[_OWN])
        self._scorers[_OWN] = scorer
        return True

    def need(self, bundle: str) -> None:
        """Load the bundle in a folder, unless that was done before.

        Raises:
            BundleRefused: it is missing or does not match.
            IndexMissing: no keyword index was embedded by its encoder.
        """
        if bundle not in self._scorers:
            self._scorers[bundle] = self._load(Path(bundle))

    def observe(self, signals: Sequence[Signal]) -> None:
        """Signals of this turn, before any shard acts on them."""
        self.news = {}
        for scorer in self._scorers.values():
            scorer.observe(signals)
            for entity, campaigns in scorer.news.items():
                self.news.setdefault(entity, set()).update(campaigns)

    def prepare(self, campaigns: Sequence[str]) -> None:
        """Find candidates where they are due. One not scored before is taken for one of the worker's own bundle."""
        for bundle, scorer in self._scorers.items():
            scorer.prepare([name for name in campaigns if self._bundle_of.get(name, _OWN) == bundle])

    def score(self, campaigns: Sequence[str]) -> list[CampaignScores]:
        """Scores of those of the campaigns that the online store knows."""
        if not campaigns:
            return []
        own: list[CampaignState] = []
        others: dict[str, list[str]] = {}
        for state in self._scorers[_OWN].read(campaigns):
            bundle = self._arms.of(state, self._clock.now_ms()).bundle
            if bundle:
                self._bundle_of[state.campaign] = bundle
                others.setdefault(bundle, []).append(state.campaign)
            else:
                self._bundle_of.pop(state.campaign, None)
                own.append(state)
        scored = self._scorers[_OWN].score(own)
        for bundle, names in others.items():
            scorer = self._scorers[bundle]
            scored += scorer.score(scorer.read(names))  # it has to know their products as well
        return scored

    def describe(self, lists: Sequence[tuple[CampaignScores, Sequence[str]]]) -> list[list[Suggestion]]:
        """For each list of canonical keywords its suggestions, in that order, without ids."""
        described: dict[int, list[Suggestion]] = {}
        for bundle, scorer in self._scorers.items():
            own = [
                number
                for number, (scores, _) in enumerate(lists)
                if self._bundle_of.get(scores.campaign.campaign, _OWN) == bundle
            ]
            described.update(zip(own, scorer.describe([lists[number] for number in own]), strict=True))
        return [described[number] for number in range(len(lists))]

    def read_anew(self) -> None:
        """Signals are missing: no vector read before may be taken for the newest."""
        for scorer in self._scorers.values():
            scorer.read_anew()

    def forget(self, campaign: str) -> None:
        """The campaign is closed."""
        self._bundle_of.pop(campaign, None)
        for scorer in self._scorers.values():
            scorer.forget(campaign)
