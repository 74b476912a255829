"""The scoring stage: what it tells, when, and what it does not tell."""

from __future__ import annotations

from copy import deepcopy

import pytest

from infra.settings import DAY_MS, WINDOW_LENGTHS_MS
from scorers.experiments.arms import Experiment
from scorers.experiments.assignment import assign
from scorers.experiments.plan import parse
from scorers.worker.shard import ScoringShard
from streams.contracts.messages import Envelope, Signal, SuggestionSet
from streams.exactly_once import Fenced
from streams.normal_form import normal_form
from tests.pipeline import Crash, CrashAt
from tests.unit.scorers.shop import NOW, Shop, keyword, other_shards_campaign, texts

INTERVAL = 30_000


@pytest.fixture
def shop() -> Shop:
    return with_campaign(Shop())


def with_campaign(shop: Shop) -> Shop:
    shop.product("i1", "Red rain boots for kids")
    shop.product("i2", "Rubber boots women")
    shop.campaign("c1", "i1")
    return shop


# --- a list -----------------------------------------------------------------------------------------------------


def test_a_new_campaign_gets_its_first_list_at_once(shop: Shop) -> None:
    first = shop.told()
    assert (first.version, first.campaign, first.seller) == (1, "c1", "ann")
    assert first.trigger.cause == "created"
    assert (first.model_version, first.index_version) == ("test-model", "index-1")
    assert first.changes.added == [one.canonical for one in first.suggestions]
    assert first.as_of >= NOW
    assert len({one.suggestion_id for one in first.suggestions}) == len(first.suggestions)


def test_a_list_is_in_order_of_value_and_every_factor_is_told(shop: Shop) -> None:
    suggestions = shop.told().suggestions
    assert [one.rank for one in suggestions] == list(range(1, len(suggestions) + 1))
    assert [one.score for one in suggestions] == sorted((one.score for one in suggestions), reverse=True)
    for one in suggestions:
        product = one.expected_searches * one.p_shown * one.p_click * one.p_purchase
        assert one.score == one.expected_purchases == pytest.approx(product)
        assert one.sources
        assert one.contributions


def test_a_list_is_no_longer_than_the_setting_and_holds_nothing_below_the_floor() -> None:
    assert len(with_campaign(Shop(suggestions_max=3)).told().suggestions) == 3
    relevant = texts(with_campaign(Shop(suggestions_max=20, relevance_floor=0.3)).told())
    assert 1 <= len(relevant) < 12
    assert not any("lamp" in text for text in relevant)


def test_several_items_make_one_list_that_names_them(shop: Shop) -> None:
    shop.campaign("c2", "i1", "i2")
    one, both = (published for published in shop.turn() if published)
    assert {item for suggestion in both.suggestions for item in suggestion.items} == {"i1", "i2"}
    value = {suggestion.canonical: suggestion.score for suggestion in one.suggestions}
    for suggestion in both.suggestions:
        if suggestion.canonical in value and len(suggestion.items) == 2:
            assert suggestion.score > value[suggestion.canonical]


def test_adopted_keywords_are_flagged_and_take_no_place() -> None:
    shop = with_campaign(Shop())
    shop.campaign("c1", "i1", adopted=["Boots, red", "rain boots"], cause="changed")
    published = shop.told()
    adopted = {one.keyword for one in published.suggestions if one.adopted}
    assert adopted == {"Boots, red", "rain boots"}
    assert len(texts(published)) == 5
    assert not {normal_form(text) for text in adopted} & {normal_form(text) for text in texts(published)}


def test_one_sellers_text_is_not_shown_to_another() -> None:
    shop = with_campaign(Shop([keyword("smith family red rain boots kids", shoppers=0, sellers=["bob"], rivals=1)]))
    shop.campaign("c2", "i1", seller="bob", adopted=["RAIN  boots!!"])
    ann, bob = (published for published in shop.turn() if published)
    assert "smith family red rain boots kids" in texts(bob)
    assert "smith family red rain boots kids" not in texts(ann)
    # Bob's own spelling is Bob's alone.
    assert "RAIN  boots!!" in [one.keyword for one in bob.suggestions]
    assert "RAIN  boots!!" not in [one.keyword for one in ann.suggestions]


# --- worth telling? ---------------------------------------------------------------------------------------------


def test_a_small_movement_is_scored_and_not_told(shop: Shop) -> None:
    shop.told()
    shop.searches("rain boots", per_day=104)
    shop.moved("rain boots", 40, 44)
    assert shop.turn() == []


def test_a_surge_is_told_at_once_with_its_reason(shop: Shop) -> None:
    before = shop.told()
    shop.searches("boots kids", per_day=100, surge=60)
    shop.moved("boots kids", 4, 240)
    after = shop.told()
    assert after.version == 2
    assert after.trigger.entity == f"keyword:{normal_form('boots kids')}"
    assert (after.trigger.before, after.trigger.after) == (4, 240)
    surged = next(one for one in after.suggestions if one.keyword == "boots kids")
    assert "searches up" in surged.reasons[0].text
    assert surged.score > 1.5 * next(one.score for one in before.suggestions if one.keyword == "boots kids")
    assert after.held_ms == 0
    assert shop.turn() == []


def test_a_surge_is_told_before_any_window_shows_it_and_told_once(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=101)
    shop.surged("boots kids", 2, 12)
    after = shop.told()
    assert after.trigger.cause == "surged"
    surged = next(one for one in after.suggestions if one.keyword == "boots kids")
    assert surged.reasons[0].text == "searches up 6x in the last 4 seconds (12, usually 2)"
    shop.searches("boots kids", per_day=102)
    shop.surged("boots kids", 4, 30, "9s")
    assert shop.turn() == []


def test_a_later_surge_is_told_again(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=101)
    shop.surged("boots kids", 2, 12)
    shop.told()
    shop.searches("boots kids", per_day=102)
    shop.surged("boots kids", 2, 12)
    assert shop.turn(WINDOW_LENGTHS_MS["10m"] - 1_000) == []
    shop.surged("boots kids", 2, 12)
    assert shop.told(2_000).trigger.cause == "surged"


def test_a_surge_that_is_over_is_no_reason_any_more(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=101)
    shop.surged("boots kids", 2, 12)
    shop.told()
    shop.searches("boots kids", per_day=300)
    shop.moved("boots kids", 4, 12)
    after = shop.told(INTERVAL)
    surged = next(one for one in after.suggestions if one.keyword == "boots kids")
    assert not any("seconds" in reason.text for reason in surged.reasons)


def test_a_material_change_that_is_no_surge_waits_for_the_interval(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=300)
    shop.moved("boots kids", 4, 12)
    assert shop.turn() == []
    assert shop.turn(INTERVAL // 2) == []
    after = shop.told(INTERVAL // 2)
    assert after.trigger.entity == f"keyword:{normal_form('boots kids')}"
    assert INTERVAL - 500 <= after.held_ms <= INTERVAL
    assert shop.turn(INTERVAL) == []


def test_a_change_that_went_back_while_it_was_held_is_never_told(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=300)
    shop.moved("boots kids", 4, 12)
    assert shop.turn() == []
    shop.searches("boots kids", per_day=100)
    assert shop.turn(INTERVAL) == []
    assert shop.turn(INTERVAL) == []


def test_many_signals_lead_to_one_set(shop: Shop) -> None:
    shop.told()
    for text in ("boots kids", "rain boots"):
        shop.searches(text, per_day=100, surge=60)
        for after in range(10, 200, 10):
            shop.moved(text, after - 6, after)
    assert shop.told().version == 2
    assert shop.turn() == []


def test_a_keyword_that_was_no_candidate_becomes_one_when_it_surges() -> None:
    shop = with_campaign(Shop(candidates_per_source=2, suggestions_max=20))
    first = texts(shop.told())
    text = next(text for text in ("hiking boots", "winter boots", "boots men", "boots sale") if text not in first)
    shop.searches(text, per_day=100, surge=80)
    shop.moved(text, 4, 320)
    after = shop.told()
    assert normal_form(text) in after.changes.added


def test_an_untouched_campaign_is_scored_again_after_a_while(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=600)
    assert shop.turn(INTERVAL) == []
    after = shop.turn(shop.settings.scorer_refresh_ms) + shop.turn(10_000)
    assert [one.trigger.cause for one in after if one] == ["refreshed"]


# --- dismissed, adopted, closed, paused --------------------------------------------------------------------------


def test_what_was_dismissed_stays_away(shop: Shop) -> None:
    first = shop.told()
    shop.dismiss("c1", first.suggestions[0].keyword)
    after = shop.told(INTERVAL)
    assert after.changes.removed[:1] == [first.suggestions[0].canonical]
    assert after.trigger.cause == "feedback"
    shop.start()
    shop.searches("boots kids", per_day=100, surge=60)
    shop.moved("boots kids", 4, 240)
    assert first.suggestions[0].keyword not in texts(shop.told(INTERVAL))


def test_feedback_of_strangers_and_nonsense_changes_nothing(shop: Shop) -> None:
    shop.told()
    shop._append(shop.topics.feedback.name, b"{nonsense")
    assert shop.turn(INTERVAL) == []


def test_a_closed_campaign_gets_one_tombstone_and_its_version_goes_on(shop: Shop) -> None:
    assert shop.told().version == 1
    shop.states.delete("campaign", ["c1"])
    shop.signal(Signal("campaign:c1", "closed"))
    assert shop.turn() == [None]
    shop.signal(Signal("campaign:c1", "closed"))
    assert shop.turn() == []
    shop.start()
    assert shop.turn() == []
    shop.campaign("c1", "i1")
    again = shop.told()
    assert again.version == 2
    assert again.changes.removed == again.changes.kept == []


def test_a_campaign_that_ended_is_closed(shop: Shop) -> None:
    shop.campaign("c1", "i1", ends_at=NOW + 60_000, cause="changed")
    assert shop.told().version == 1
    shop.signal(Signal("campaign:c1", "changed"))
    assert shop.turn(60_000) == [None]


def test_a_campaign_never_told_needs_no_tombstone(shop: Shop) -> None:
    shop.signal(Signal("campaign:c1", "closed"))
    assert shop.turn() == []


def test_a_pause_stops_publishing_and_what_was_held_is_told_afterwards(shop: Shop) -> None:
    shop.told()
    shop.pause("boots")
    shop.searches("boots kids", per_day=100, surge=60)
    shop.moved("boots kids", 4, 240)
    shop.campaign("c2", "i2")
    assert shop.turn() == []
    assert shop.turn(INTERVAL) == []
    shop.pause("boots", paused=False)
    after = {one.campaign: one for one in shop.turn() if one}
    assert set(after) == {"c1", "c2"}
    assert after["c1"].held_ms >= INTERVAL
    assert shop.turn() == []


def test_a_pause_of_another_category_stops_nothing(shop: Shop) -> None:
    shop.pause("lamps")
    shop.told()


def test_a_pause_of_all_holds_tombstones_too(shop: Shop) -> None:
    shop.told()
    shop.pause()
    shop.signal(Signal("campaign:c1", "closed"))
    assert shop.turn() == []
    shop.start()
    assert shop.turn() == []
    shop.pause(paused=False)
    assert shop.turn() == [None]


# --- a store that lost everything, signals that are missing --------------------------------------------------------


def test_an_emptied_store_closes_nothing_and_empties_no_list(shop: Shop) -> None:
    shop.told()
    shop.store.clear()
    shop.signal(Signal("campaign:c1", "changed"), Signal("item:i1", "changed"))
    assert shop.turn() == []
    assert shop.turn(INTERVAL) == []
    shop.start()
    assert shop.turn(INTERVAL) == []


def test_a_campaign_that_is_not_in_the_store_yet_is_looked_for_again() -> None:
    shop = Shop()
    shop.signal(Signal("campaign:c1", "created"))
    assert shop.turn() == []
    with_campaign(shop)
    shop.records.pop()
    assert shop.turn(10_000)


def test_a_delisted_item_leaves_the_list(shop: Shop) -> None:
    shop.told()
    shop.states.delete("product", ["i1"])
    shop.signal(Signal("item:i1", "closed"))
    assert shop.told(INTERVAL).suggestions == []


def test_a_repeated_message_is_taken_once(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=100, surge=60)
    signal = Signal("keyword:unknown", "moved", "searches", "1h", 1, 9)
    shop.signal(signal, envelope=Envelope("entity/0", 1, 7))
    shop.turn()
    surged = Signal(f"keyword:{normal_form('boots kids')}", "moved", "searches", "1h", 4, 240)
    shop.signal(surged, envelope=Envelope("entity/0", 1, 7))
    assert shop.turn() == []


def test_after_a_gap_everything_is_scored_again(shop: Shop) -> None:
    shop.told()
    signal = Signal("keyword:unknown", "moved", "searches", "1h", 1, 9)
    shop.signal(signal, envelope=Envelope("entity/0", 1, 7))
    shop.turn()
    shop.searches("boots kids", per_day=100, surge=60)
    shop.signal(signal, envelope=Envelope("entity/0", 1, 9))
    assert [one.trigger.cause for one in shop.turn() + shop.turn(10_000) if one] == ["restarted"]


def test_campaigns_of_other_shards_are_left_alone() -> None:
    shop = with_campaign(Shop(partitions=4))
    foreign = other_shards_campaign(4, 0)
    shop.campaign(foreign, "i1")
    shop.dismiss(foreign, "rain boots")
    assert foreign not in {one.campaign for one in shop.turn() + shop.turn(INTERVAL) if one}


# --- a checkpoint that was lost ------------------------------------------------------------------------------------


def test_versions_grow_on_when_the_checkpoint_is_lost_and_nothing_is_told_twice(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=100, surge=60)
    shop.moved("boots kids", 4, 240)
    assert shop.told().version == 2
    shop.lose_checkpoint()
    assert shop.taken_over == 1
    assert shop.turn() == shop.turn(INTERVAL) == []
    shop.searches("rain boots", per_day=100, surge=60)
    shop.moved("rain boots", 4, 240)
    after = shop.told()
    assert (after.version, after.changes.removed) == (3, [])
    assert after.changes.kept


def test_a_checkpoint_set_back_is_behind_and_a_kept_one_is_not(shop: Shop) -> None:
    shop.told()
    old = deepcopy(shop.checkpoints)
    for surge in (60, 600):
        shop.searches("boots kids", per_day=100, surge=surge)
        shop.moved("boots kids", 4, 240)
        shop.told(INTERVAL)
    shop.start()
    assert (shop.taken_over, shop.turn()) == (0, [])
    # Its outbox goes out once more: an older list stands last, so the newest is told anew.
    shop.checkpoints = old
    shop.start()
    assert shop.taken_over == 1
    assert [one.version for one in shop.published() if one] == [1, 2, 3, 3, 1]
    assert shop.told().version == 4


def test_without_its_checkpoint_a_closed_campaign_gets_its_tombstone_once(shop: Shop) -> None:
    shop.told()
    shop.lose_checkpoint()
    shop.signal(Signal("campaign:c1", "closed"))
    assert shop.turn() == [None]
    shop.lose_checkpoint()
    assert (shop.turn(), shop.turn(INTERVAL)) == ([], [])
    shop.campaign("c1", "i1")
    assert shop.told().version == 2


def test_a_campaign_that_is_gone_is_closed_though_nobody_said_so(shop: Shop) -> None:
    shop.campaign("c2", "i2")
    assert len(shop.turn()) == 2
    shop.start(known={"c2"})
    assert shop.turn() == [None]
    shop.start(known=())
    assert shop.turn() == []


def test_what_was_dismissed_stays_away_without_a_checkpoint(shop: Shop) -> None:
    first = shop.told()
    shop.dismiss("c1", first.suggestions[0].keyword)
    second = shop.told(INTERVAL)
    shop.lose_checkpoint()
    assert shop.turn() == []
    shop.searches("boots kids", per_day=100, surge=60)
    shop.moved("boots kids", 4, 240)
    third = shop.told(INTERVAL)
    assert third.version == second.version + 1
    assert first.suggestions[0].keyword not in texts(third)


# --- experiments --------------------------------------------------------------------------------------------------

PLAN = """
name: boots
start: 2023-11-14
effect: {scale: relative, size: 0.2}
metrics: {primary: purchase_rate}
hold_out: 0.2
weeks: 4
arms:
  - {name: control, share: 0.4, shows: nothing}
  - {name: suggestions, share: 0.3, shows: suggestions}
  - {name: other, share: 0.3, shows: suggestions, bundle: models/other-model}
"""
ENDS = NOW + 42 * DAY_MS
EXPERIMENT = Experiment(parse(PLAN, "boots.yaml"), "f" * 64, ENDS)
ARMS = ("control", "suggestions", "other", "hold-out")
SELLERS = {arm: next(name for n in range(99) if assign(EXPERIMENT.plan, name := f"s{n}") == arm) for arm in ARMS}


def in_experiment(*arms: str, running: bool = True) -> Shop:
    """A shop with a campaign of a seller in each arm, named as the arm."""
    shop = Shop()
    shop.product("i1", "Red rain boots for kids")
    if running:
        shop.run(EXPERIMENT)
    for arm in arms:
        shop.campaign(arm, "i1", seller=SELLERS[arm], adopted=["Boots, red"])
    return shop


def test_lists_are_computed_and_logged_alike_and_told_where_the_arm_shows_them() -> None:
    shop = in_experiment(*ARMS)
    told = {one.campaign: one for one in shop.turn() if one}
    assert {name: one.arm for name, one in told.items()} == {
        "suggestions": "boots/suggestions",
        "other": "boots/other",
    }
    exposed = {one.campaign: one for one in shop.exposures()}
    assert {name: (one.arm, one.unit, one.published) for name, one in exposed.items()} == {
        arm: (arm, SELLERS[arm], arm in told) for arm in ARMS
    }
    assert {(one.experiment, one.plan_checksum) for one in exposed.values()} == {("boots", "f" * 64)}
    (keywords,) = {tuple(one.keywords) for one in exposed.values()}
    suggested = [one for one in told["suggestions"].suggestions if not one.adopted]
    assert [(one.canonical, one.rank) for one in keywords] == [(one.canonical, one.rank) for one in suggested]
    assert normal_form("Boots, red") not in {one.canonical for one in keywords}
    assert all(one.source and one.reason for one in keywords)


def test_a_campaign_is_exposed_once_whatever_is_restarted_or_lost() -> None:
    shop = in_experiment(*ARMS)
    shop.turn()
    exposures = shop.exposures()
    assert sorted(one.campaign for one in exposures) == sorted(ARMS)
    shop.start()
    shop.turn(INTERVAL)
    shop.lose_checkpoint()
    shop.surge("boots kids")
    assert {one.campaign for one in shop.turn(INTERVAL) if one} == {"suggestions", "other"}
    # The restarted worker's last outbox, byte for byte, and nothing else.
    assert shop.exposures() == exposures * 2


@pytest.mark.parametrize("crash_at", range(1, 12))
def test_after_a_crash_every_campaign_is_exposed_and_alike(crash_at: int) -> None:
    shop = in_experiment(*ARMS)
    shop.runner.probe = shop.broker.probe = CrashAt(crash_at)
    for _ in range(4):
        try:
            shop.turn()
        except Crash:
            shop.start()
    exposures = {one.campaign: one for one in shop.exposures()}
    assert set(exposures) == set(ARMS)
    assert all(one == exposures[one.campaign] for one in shop.exposures())


def test_what_was_told_before_is_withdrawn_once_in_an_arm_that_shows_nothing() -> None:
    shop = in_experiment("control", "suggestions", running=False)
    assert {one.arm for one in shop.turn() if one} == {"default"}
    assert shop.exposures() == []
    shop.run(EXPERIMENT)
    shop.signal(Signal("item:i1", "changed"))
    withdrawn = shop.told()
    assert (withdrawn.campaign, withdrawn.arm, withdrawn.version) == ("control", "boots/control", 2)
    assert (withdrawn.suggestions, bool(withdrawn.changes.removed)) == ([], True)
    assert {one.campaign for one in shop.exposures()} == {"control", "suggestions"}
    assert all(one.keywords for one in shop.exposures())
    shop.signal(Signal("item:i1", "changed"))
    assert shop.turn(INTERVAL) == []


def test_a_withdrawal_waits_while_publishing_is_paused() -> None:
    shop = in_experiment("control", running=False)
    shop.told()
    shop.pause()
    shop.run(EXPERIMENT)
    shop.signal(Signal("item:i1", "changed"))
    assert shop.turn() == []
    shop.pause(paused=False)
    assert shop.told().suggestions == []


def test_when_the_experiment_ends_all_but_the_hold_out_are_told() -> None:
    shop = in_experiment("control", "hold-out")
    assert shop.turn() == []
    shop.clock.advance_to(ENDS)
    after = shop.told()
    assert (after.campaign, after.arm, after.version) == ("control", "default", 1)


def test_an_arm_with_a_bundle_is_scored_with_it_and_no_other_arm_is() -> None:
    shop = in_experiment(*ARMS)
    told = {one.campaign: one.model_version for one in shop.turn() if one}
    assert told == {"suggestions": "test-model", "other": "other-model"}
    exposed = {one.campaign: one.model_version for one in shop.exposures()}
    assert exposed == {arm: "other-model" if arm == "other" else "test-model" for arm in ARMS}
    shop.surge("boots kids")
    after = {one.campaign: one for one in shop.turn() if one}
    assert {name: one.model_version for name, one in after.items()} == told
    assert all(one.trigger.entity == f"keyword:{normal_form('boots kids')}" for one in after.values())
    shop.signal(*(Signal(f"campaign:{arm}", "closed") for arm in ARMS))
    assert shop.turn() == [None, None]


def test_what_is_promoted_scores_from_the_next_turn_on_and_forgets_no_surge(shop: Shop) -> None:
    shop.told()
    shop.searches("boots kids", per_day=101)
    shop.surged("boots kids", 2, 12)
    before = shop.told()
    shop.promote("better-model")
    assert shop.turn() == []  # the same order: nothing worth a message
    shop.searches("red boots", per_day=101)
    shop.surged("red boots", 2, 12)
    after = shop.told()
    assert (before.model_version, after.model_version) == ("test-model", "better-model")
    surging = {one.keyword for one in after.suggestions if any("in the last 4 s" in why.text for why in one.reasons)}
    assert surging == {"boots kids", "red boots"}


def test_an_arm_with_a_bundle_of_its_own_keeps_it_when_another_is_promoted() -> None:
    shop = in_experiment(*ARMS)
    shop.turn()
    shop.promote("better-model")
    shop.surge("boots kids")
    after = {one.campaign: one.model_version for one in shop.turn(INTERVAL) if one}
    assert after == {"suggestions": "better-model", "other": "other-model"}


def test_an_arm_that_is_stopped_withdraws_its_lists_and_is_exposed_as_before() -> None:
    shop = in_experiment(*ARMS)
    shop.turn()
    shop.run(EXPERIMENT.with_stops(frozenset({"suggestions", "other"})))
    shop.shard.rescore_all("stopped", shop.clock.now_ms())
    withdrawn = [one for one in shop.turn() if one]
    assert {one.campaign for one in withdrawn} == {"suggestions", "other"}
    assert {(one.trigger.cause, *one.suggestions) for one in withdrawn} == {("stopped",)}
    shop.surge("boots kids")
    shop.campaign("late", "i1", seller=SELLERS["other"])
    assert shop.turn(INTERVAL) == []
    late = next(one for one in shop.exposures() if one.campaign == "late")
    assert (late.arm, late.published, late.model_version) == ("other", False, "test-model")


# --- crashes ----------------------------------------------------------------------------------------------------


def test_a_restart_tells_nothing_again(shop: Shop) -> None:
    shop.told()
    shop.start()
    assert shop.turn() == []
    assert shop.turn(INTERVAL) == []


@pytest.mark.parametrize("crash_at", range(1, 20))
def test_after_a_crash_at_any_point_versions_only_grow_and_nothing_is_lost(crash_at: int) -> None:
    shop = with_campaign(Shop())
    shop.campaign("c2", "i2")
    shop.runner.probe = shop.broker.probe = CrashAt(crash_at)
    surges = 0
    for _ in range(12):
        try:
            shop.turn()
            if surges < 3 and len(shop.published()) >= 2:
                surges += 1
                shop.searches("boots kids", per_day=100, surge=30.0 * 3**surges)
                shop.moved("boots kids", 4, 1_000)
        except Crash:
            shop.start()
    assert surges == 3
    for campaign in ("c1", "c2"):
        versions = [one.version for one in shop.published() if one and one.campaign == campaign]
        assert versions == sorted(versions)
        assert set(versions) == set(range(1, max(versions) + 1))
        by_version: dict[int, SuggestionSet] = {}
        for one in shop.published():
            if one and one.campaign == campaign:
                assert by_version.setdefault(one.version, one) == one
        final = by_version[max(versions)]
        assert "surge" in {reason.code for suggestion in final.suggestions for reason in suggestion.reasons}


def test_a_fenced_worker_publishes_nothing(shop: Shop) -> None:
    shop.told()
    old = shop.runner
    shop.start()
    shop.searches("boots kids", per_day=100, surge=60)
    shop.moved("boots kids", 4, 240)
    before = len(shop.published())
    assert isinstance(old.stage, ScoringShard)
    with pytest.raises(Fenced):
        old.step(shop.records[-1:])
    assert len(shop.published()) == before
