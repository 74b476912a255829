"""The scoring stage: the campaigns of one partition of `suggestions.campaign`, what they were told, what moves them.

It takes every signal, scores again the campaigns that these concern, the most urgent first, and publishes the lists
that have changed enough to be worth a message. `ScoringShard.process` is that order.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from feature_repo.vectors import entity, split_entity
from infra import metrics
from infra.log import get_logger
from infra.murmur2 import partition_of
from infra.settings import WINDOW_LENGTHS_MS, Settings
from infra.topics import Topic, Topics
from scorers.experiments.arms import Arms, Place, Treatment
from scorers.experiments.exposure import exposure
from scorers.scoring.batch import CampaignScores
from scorers.suggestions.changes import changes
from scorers.suggestions.policy import Policy, Verdict, judge, steady, tell_at
from scorers.worker.controls import Controls
from scorers.worker.dependencies import Dependencies
from scorers.worker.memory import CampaignMemory, ShardState, Told
from scorers.worker.pace import Pace
from scorers.worker.waiting import AT_ONCE, WORTH_SCORING, Wait, Waiting
from streams.contracts.messages import Exposure, Feedback, Signal, Signals, Suggestion, SuggestionSet, Trigger
from streams.exactly_once import Checkpoint, Outgoing, Progress, SequenceGap
from streams.stage import Outcome, Record

log = get_logger(__name__)

SCHEMA_VERSION = 1

_SEEN_AGAIN_MS = 1_000
"""How often it is looked for campaigns that were last scored long ago."""
_NEWS = 0.3
"""Impact of a keyword that a campaign did not have as a candidate: as much as a third of its list may be new."""
_PRODUCT_CHANGED = 0.5


class Scores(Protocol):
    """What scores campaigns: `scorers.worker.bundles.BundleScorers`."""

    news: dict[str, set[str]]
    """By the entity of a signal of this turn: campaigns to which it brings up a keyword that they lacked."""

    def score(self, campaigns: Sequence[str]) -> list[CampaignScores]:
        """Scores of those of the campaigns that the online store knows."""
        ...

    def describe(self, lists: Sequence[tuple[CampaignScores, Sequence[str]]]) -> list[list[Suggestion]]:
        """For each list of canonical keywords its suggestions, in that order, without ids."""
        ...

    def read_anew(self) -> None:
        """Signals are missing: no vector read before may be taken for the newest."""
        ...

    def forget(self, campaign: str) -> None:
        """The campaign is closed."""
        ...


@dataclass(frozen=True)
class _Held:
    """A materially changed list that may not be told yet."""

    wait: Wait
    since_ms: int
    until_ms: int


@dataclass(frozen=True)
class _Computed:
    """A campaign's list as it is now, whether or not it is told."""

    scores: CampaignScores
    treatment: Treatment
    values: dict[str, float]
    """Of every candidate."""
    suggested: list[str]
    """Best first."""
    listed: list[str]
    """Suggested and adopted ones, best first."""


@dataclass(frozen=True)
class _Telling:
    """A list that is worth a message."""

    listed: list[str]
    trigger: Signal
    held_ms: int


class ScoringShard:
    """The state of one shard. Campaigns are told apart by murmur2, as the topic's partitions are."""

    name = "scorer"

    def __init__(
        self, shard: int, settings: Settings, topics: Topics, scorer: Scores, controls: Controls, arms: Arms
    ) -> None:
        self.number = shard
        self._settings = settings
        self._topics = topics
        self._scorer = scorer
        self._controls = controls
        self._arms = arms
        self._policy = Policy.of(settings)
        self._surge_memory_ms = WINDOW_LENGTHS_MS[settings.windows[0]]
        self._pace = Pace(settings.scorer_batch)
        self._reset(ShardState())

    def restore(self, checkpoint: Checkpoint, progress: Progress) -> None:
        """Become what the checkpoint says. `rescore_all` then learns again what depends on what."""
        self._progress = progress
        self._reset(ShardState.restored(checkpoint.snapshot, checkpoint.journal))

    def process(self, records: Sequence[Record], now_ms: int) -> Outcome:
        """Note what moved, score the campaigns that wait most urgently, and tell what is worth a message."""
        self._now = now_ms
        self._note(records)
        self._look_after_the_rest()
        waits = self._waiting.take(self._pace.campaigns, now_ms)
        scored = self._score(waits)
        self._await_again(waits, scored)
        outgoing = self._tell([one for scores in scored if (one := self._compute(scores))], waits)
        outgoing += self._tombstones()
        return Outcome(self._state.take_entry(), outgoing)

    def snapshot(self) -> bytes:
        return self._state.snapshot()

    def before_publish(self, outgoing: Sequence[Outgoing], epoch: int) -> None:
        """Nothing: a set stands for itself."""

    @property
    def waiting(self) -> int:
        """Campaigns that wait to be scored."""
        return len(self._waiting)

    @property
    def urgent(self) -> bool:
        """Whether one of them should be scored without waiting for more signals."""
        return self._waiting.greatest(self._now) >= WORTH_SCORING

    def next_campaigns(self, now_ms: int) -> list[str]:
        """Those that would be scored now, were there no further signals."""
        return self._waiting.next(self._pace.campaigns, now_ms)

    @property
    def ends(self) -> dict[str, int]:
        """By topic, the offset up to which all that the shard published there is in its state."""
        return self._state.ends

    def note_published(self, ends: Mapping[str, int]) -> None:
        """The offsets after what was published last."""
        self._state.ends.update(ends)

    def take_over(self, told: Mapping[str, CampaignMemory]) -> int:
        """Learn what the suggestion topic says from `ends` on, where the checkpoint knows less.

        Returns the number of campaigns of which it had lost what they were told.
        """
        behind = 0
        for campaign, topic in told.items():
            memory = self._state.get(campaign)
            if self._owns(campaign) and (topic.version > memory.version or (topic.closed and memory.live)):
                behind += 1
                self._state[campaign] = msgspec.structs.replace(
                    topic,
                    version=max(topic.version, memory.version),
                    dismissed=memory.dismissed,
                    exposed=memory.exposed,
                )
        return behind

    def expose(self, record: Record) -> None:
        """Remember an exposure of ours that the exposure topic holds from `ends` on: none is logged twice."""
        known = msgspec.json.decode(record.value or b"", type=Exposure)
        if self._owns(known.campaign):
            self._remember_exposure(known.campaign, known.plan_checksum)

    def dismiss(self, record: Record) -> Feedback | None:
        """Remember a dismissed keyword, which stays away. None when nothing new of ours was dismissed.

        What cannot be read is the feedback agent's to complain about.
        """
        try:
            feedback = msgspec.json.decode(record.value or b"", type=Feedback)
        except msgspec.MsgspecError:
            return None
        memory = self._state.get(feedback.campaign)
        if feedback.action != "dismissed" or not self._owns(feedback.campaign):
            return None
        if feedback.canonical in memory.dismissed:
            return None
        dismissed = memory.dismissed | {feedback.canonical}
        self._state[feedback.campaign] = msgspec.structs.replace(memory, dismissed=dismissed)
        return feedback

    def rescore_all(self, cause: str, now_ms: int, known: Collection[str] = ()) -> None:
        """Score every open campaign again, after the urgent ones.

        `known`: all campaigns that there are, if it was looked up. Ours among them are scored if they are new; others
        are closed.
        """
        self._now = now_ms
        for campaign in known:
            if self._owns(campaign) and campaign not in self._state:
                self._state[campaign] = CampaignMemory()
        # A topic without any campaign has lost them: that closes none.
        for campaign in self._state.open() if known else ():
            if campaign not in known:
                self._close(campaign)
        for campaign in self._state.open():
            signal = Signal(entity=entity("campaign", campaign), cause=cause)
            impact = WORTH_SCORING if self._state[campaign].live else AT_ONCE
            self._waiting.add(campaign, signal, impact, now_ms)

    def take_event_times(self) -> list[int]:
        """Event times, ms, of what led to the sets told since last asked; not of those held back on purpose."""
        taken = self._event_times.copy()
        self._event_times.clear()
        return taken

    def _reset(self, state: ShardState) -> None:
        self._state = state
        self._dependencies = Dependencies(self._settings)
        self._waiting = Waiting()
        self._held: dict[str, _Held] = {}
        self._closing = state.closing()
        self._category: dict[str, str] = {}
        self._scored_at: dict[str, int] = {}
        self._looked_at = 0
        self._event_times: list[int] = []
        self._now = 0

    # --- what moved ---------------------------------------------------------------------------------------------

    def _note(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.topic == self._topics.signals.name:
                signals = decode_signals(record)
                if self._is_new(signals):
                    for signal in signals.signals:
                        self._follow(signal)
            elif record.topic == self._topics.feedback.name:
                self._heed(record)

    def _is_new(self, signals: Signals) -> bool:
        try:
            new = self._progress.take(signals.envelope, may_join=True)
        except SequenceGap as gap:
            # A signal carries no counts: what it would have told is made good by looking at everything again.
            log.error("%s. Every campaign of shard %d is scored again instead", gap, self.number)
            envelope = signals.envelope
            self._progress.seen[envelope.sender] = (envelope.generation, envelope.sequence)
            self._scorer.read_anew()
            self.rescore_all("restarted", self._now)
            return True
        if not new:
            metrics.MESSAGES_REPEATED.labels(self.name).inc()
        return new

    def _follow(self, signal: Signal) -> None:
        kind, key = split_entity(signal.entity)
        if kind == "campaign":
            self._follow_campaign(key, signal)
        elif kind == "item" and not signal.metric:
            for campaign in self._dependencies.having(key):
                self._waiting.add(campaign, signal, _PRODUCT_CHANGED, self._now)
        else:
            for campaign, impact in self._dependencies.affected(signal):
                self._waiting.add(campaign, signal, impact, self._now)
            for campaign in self._scorer.news.get(signal.entity, ()):
                if campaign in self._state:
                    self._waiting.add(campaign, signal, _NEWS, self._now)

    def _follow_campaign(self, campaign: str, signal: Signal) -> None:
        if signal.metric or not self._owns(campaign):
            return
        memory = self._state.get(campaign)
        if signal.cause == "closed":
            self._close(campaign)
        else:
            if memory.closed or campaign not in self._state:
                self._state[campaign] = msgspec.structs.replace(memory, closed=False)
                self._closing.discard(campaign)
            self._waiting.add(campaign, signal, AT_ONCE, self._now)

    def _heed(self, record: Record) -> None:
        """A campaign of which a keyword was dismissed is scored again."""
        if feedback := self.dismiss(record):
            campaign, event_time = feedback.campaign, feedback.event_time
            signal = Signal(entity=entity("campaign", campaign), cause="feedback", event_time=event_time)
            self._waiting.add(campaign, signal, AT_ONCE, self._now)

    def _look_after_the_rest(self) -> None:
        """Lists that were held back and may now be told; campaigns that were last scored long ago."""
        for campaign, held in list(self._held.items()):
            paused = self._controls.paused(self._category.get(campaign, ""))
            if held.until_ms <= self._now and not paused:
                self._waiting.add(campaign, held.wait.trigger, AT_ONCE, self._now)
        if self._now - self._looked_at < _SEEN_AGAIN_MS:
            return
        self._looked_at = self._now
        for campaign, scored_at in self._scored_at.items():
            if self._now - scored_at >= self._settings.scorer_refresh_ms and campaign not in self._waiting:
                signal = Signal(entity=entity("campaign", campaign), cause="refreshed")
                self._waiting.add(campaign, signal, WORTH_SCORING, self._now)

    def _await_again(self, waits: Mapping[str, Wait], scored: Sequence[CampaignScores]) -> None:
        """A campaign that the online store does not know yet, or no longer, is looked for again in a while."""
        found = {scores.campaign.campaign for scores in scored}
        for campaign, wait in waits.items():
            if campaign not in found and not self._state.get(campaign).closed:
                self._waiting.add(campaign, wait.trigger, 0.0, self._now)

    def _score(self, waits: Mapping[str, Wait]) -> list[CampaignScores]:
        started = time.perf_counter()
        scored = self._scorer.score(list(waits))
        self._pace.note(len(waits), time.perf_counter() - started)
        return scored

    # --- worth telling? -----------------------------------------------------------------------------------------

    def _compute(self, scores: CampaignScores) -> _Computed | None:
        """The list that a campaign has by now, alike in every arm; None when the campaign is over."""
        campaign = scores.campaign.campaign
        if scores.ended(self._now):
            self._close(campaign)
            return None
        memory = self._state.get(campaign)
        values = scores.values()
        open_values = {
            keyword: value
            for keyword, value in values.items()
            if keyword not in scores.adopted and keyword not in memory.dismissed
        }
        suggested = steady(
            open_values, memory.suggested.keys(), self._settings.suggestions_max, self._settings.suggestion_margin
        )
        adopted = sorted(scores.adopted & values.keys(), key=lambda keyword: -values[keyword])
        listed = [*suggested, *adopted[: self._settings.adopted_max]]
        listed.sort(key=lambda keyword: (-values[keyword], keyword))
        self._category[campaign] = scores.campaign.category
        self._scored_at[campaign] = self._now
        total = sum(values[keyword] for keyword in suggested) or 1.0
        shares = {keyword: value / total for keyword, value in values.items()}
        self._dependencies.update(campaign, scores.campaign.items, shares)
        return _Computed(scores, self._arms.of(scores.campaign, self._now), values, suggested, listed)

    def _judge(self, computed: _Computed, wait: Wait) -> _Telling | None:
        """Whether the list is to be told, now."""
        campaign = computed.scores.campaign.campaign
        memory = self._state.get(campaign)
        first = not memory.live
        if computed.treatment.shows:
            verdict = self._compare(computed, memory)
            material = first or verdict.material
            until = 0 if first else tell_at(memory.told_at, verdict, self._policy)
        else:
            # An arm that shows nothing hears once: that what was told before it began is withdrawn.
            material, until = memory.live and bool(memory.told), 0
        if not material:
            metrics.SETS_UNCHANGED.inc()
            self._held.pop(campaign, None)
            return None
        if self._controls.paused(computed.scores.campaign.category) or until > self._now:
            self._hold(campaign, wait, until)
            return None
        held = self._held.pop(campaign, None)
        held_ms = self._now - held.since_ms if held and held.wait.trigger is wait.trigger else 0
        return _Telling(computed.listed if computed.treatment.shows else [], wait.trigger, held_ms)

    def _compare(self, computed: _Computed, memory: CampaignMemory) -> Verdict:
        """The list against what was told last."""
        scores = computed.scores
        suggested = {keyword: computed.values[keyword] for keyword in computed.suggested}
        told_surging = memory.surging(self._now - self._surge_memory_ms)
        withdrawn = scores.adopted | memory.dismissed
        return judge(memory.suggested, suggested, withdrawn, scores.surging, told_surging, self._policy)

    def _hold(self, campaign: str, wait: Wait, until_ms: int) -> None:
        held = self._held.get(campaign)
        if held is None:
            self._held[campaign] = _Held(wait, self._now, until_ms)
        else:
            self._held[campaign] = _Held(held.wait, held.since_ms, until_ms)

    # --- telling ------------------------------------------------------------------------------------------------

    def _tell(self, lists: Sequence[_Computed], waits: Mapping[str, Wait]) -> list[Outgoing]:
        """The exposures that these lists are, and sets of those worth one."""
        chosen = []
        for one in lists:
            exposes, telling = self._exposes(one), self._judge(one, waits[one.scores.campaign.campaign])
            if exposes or telling:
                chosen.append((one, exposes, telling))
        described = self._scorer.describe([(one.scores, one.listed) for one, _, _ in chosen])
        outgoing = []
        for (one, exposes, telling), suggestions in zip(chosen, described, strict=True):
            outgoing += [self._outgoing(self._topics.exposures, self._exposure(one, at, suggestions)) for at in exposes]
            if telling:
                written = self._set(one, telling, suggestions if telling.listed else [])
                outgoing.append(self._outgoing(self._topics.suggestions, written))
        return outgoing

    def _exposes(self, computed: _Computed) -> list[Place]:
        """Where a campaign is exposed by its list, for the first time."""
        before = self._state.get(computed.scores.campaign.campaign).exposed
        return [at for at in computed.treatment.places if at.running and at.experiment.checksum not in before]

    def _exposure(self, computed: _Computed, place: Place, suggestions: Sequence[Suggestion]) -> Exposure:
        campaign, shows = computed.scores.campaign.campaign, computed.treatment.shows
        self._remember_exposure(campaign, place.experiment.checksum)
        return exposure(place, campaign, suggestions, computed.scores.batch.model_version, shows, self._now)

    def _remember_exposure(self, campaign: str, checksum: str) -> None:
        memory = self._state.get(campaign)
        if checksum not in memory.exposed:
            self._state[campaign] = msgspec.structs.replace(memory, exposed=memory.exposed | {checksum})

    def _set(self, computed: _Computed, telling: _Telling, suggestions: Sequence[Suggestion]) -> SuggestionSet:
        state, trigger = computed.scores.campaign, telling.trigger
        memory = self._state.get(state.campaign)
        version = memory.version + 1
        surging = computed.scores.surging
        told = tuple(Told(one.canonical, one.score, one.adopted, one.canonical in surging) for one in suggestions)
        self._state[state.campaign] = msgspec.structs.replace(
            memory, version=version, told_at=self._now, told=told, live=True
        )
        metrics.SETS_PUBLISHED.labels(trigger.cause).inc()
        if trigger.event_time and not telling.held_ms:
            self._event_times.append(trigger.event_time)
        return SuggestionSet(
            schema_version=SCHEMA_VERSION,
            campaign=state.campaign,
            seller=state.seller,
            version=version,
            created_at=self._now,
            as_of=computed.scores.batch.as_of,
            model_version=computed.scores.batch.model_version,
            index_version=computed.scores.batch.index_version,
            arm=computed.treatment.arm,
            trigger=Trigger(**{name: getattr(trigger, name) for name in Trigger.__struct_fields__}),
            held_ms=telling.held_ms,
            suggestions=[
                msgspec.structs.replace(one, suggestion_id=f"{state.campaign}:{version}:{one.rank}")
                for one in suggestions
            ],
            changes=changes(memory.listed if memory.live else [], telling.listed),
        )

    def _outgoing(self, topic: Topic, message: Exposure | SuggestionSet) -> Outgoing:
        return Outgoing(topic.name, self.number, message.campaign.encode(), msgspec.json.encode(message))

    def _close(self, campaign: str) -> None:
        memory = self._state.get(campaign)
        self._state[campaign] = msgspec.structs.replace(memory, closed=True)
        if memory.live:
            self._closing.add(campaign)
        self._waiting.remove(campaign)
        self._held.pop(campaign, None)
        self._scored_at.pop(campaign, None)
        self._dependencies.remove(campaign)
        self._scorer.forget(campaign)

    def _tombstones(self) -> list[Outgoing]:
        """An empty record for each closed campaign of which the topic still holds a set."""
        outgoing = []
        for campaign in sorted(self._closing):
            if not self._controls.paused(self._category.get(campaign, "")):
                self._closing.discard(campaign)
                self._state[campaign] = msgspec.structs.replace(self._state[campaign], told=(), live=False)
                outgoing.append(Outgoing(self._topics.suggestions.name, self.number, campaign.encode(), None))
        return outgoing

    def _owns(self, campaign: str) -> bool:
        return partition_of(campaign.encode(), self._settings.partitions) == self.number


def decode_signals(record: Record) -> Signals:
    """The signals of a record of the signals topic, which only our own stages write."""
    assert record.value is not None
    return msgspec.msgpack.decode(record.value, type=Signals)
