"""Two towers: what they learn from, the loss, negatives, training, checkpoints, several processes, the export."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import HOUR_MS
from scorers.history import History
from scorers.retrieval.encoders import KNOWN_SCALE, EncoderError, OnnxEncoder
from scorers.retrieval.metadata import metadata_tokens, price_bucket
from scorers.training.towers import loss
from scorers.training.towers.checkpoint import Checkpoint, Epoch
from scorers.training.towers.export import export, quality, similarity_scale
from scorers.training.towers.fitting import Fitted, Fitting, Options, embedded, recall
from scorers.training.towers.negatives import KnownPairs, hard_negatives
from scorers.training.towers.pairs import NoPairs, Pairs, tower_data
from scorers.training.towers.tuning import tuned
from streams.contracts.messages import ProductState
from streams.simulator.states import write_states
from tests.market import UNTIL_MS, make_market, make_past
from tests.unit.scorers.training.towers import DIMENSION, MAX_TOKENS, tower_market

OPTIONS = Options(batch=64, epochs=4, rate=0.02, pull=0.0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# --- what is known of a product -----------------------------------------------------------------------------------


def product(**fields: object) -> ProductState:
    return ProductState(schema_version=1, item="i", seller="s", title="t", updated_at=0, **fields)


def test_metadata_says_what_is_known_and_no_more() -> None:
    assert metadata_tokens(product()) == []
    assert metadata_tokens(product(price=1_000)) == []  # of no category, it says nothing
    told = metadata_tokens(
        product(category="Boots", price=1_000, shipping=0, condition="Used", specification={"Color": "Red"})
    )
    bucket = price_bucket(1_000)
    assert told == ["category=boots", f"price=boots:{bucket}", "condition=used", "shipping=free", "color=red"]


@given(price=st.integers(1, 10**9))
def test_prices_share_a_bucket_with_their_neighbours(price: int) -> None:
    assert 0 <= price_bucket(int(price * 1.4) + 1) - price_bucket(price) <= 2
    assert price_bucket(2 * price) == price_bucket(price) + 2


# --- pairs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("towers") / "history"
    market = make_market(5, events=30_000, days=4.0, products=150, campaigns=40, keywords=600)
    make_past(market, folder)
    write_states(market, folder)
    return History(folder)


def test_pairs_are_those_clicked_before_the_split_and_validation_has_the_later_ones(history: History) -> None:
    until = UNTIL_MS - 24 * HOUR_MS
    data = tower_data(history, until, 6 * HOUR_MS)
    first = {
        (item, canonical): at
        for item, canonical, at in history.clicks.group_by("item", "canonical")
        .min()
        .select("item", "canonical", "event_time")
        .iter_rows()
    }

    def times(pairs: Pairs) -> list[int]:
        return [
            first[data.products[product].item, data.keywords[keyword].canonical]
            for product, keyword in zip(pairs.product, pairs.keyword, strict=True)
        ]

    assert max(times(data.training)) < min(times(data.validation))
    assert max(times(data.validation)) < until
    known = {one.canonical for one in data.keywords}
    clicked = {pair for pair, at in first.items() if at < until and pair[1] in known}
    assert len(data.training) + len(data.validation) == len(clicked)


def test_a_purchase_weighs_more_than_a_click(history: History) -> None:
    data = tower_data(history, UNTIL_MS, 6 * HOUR_MS)
    weight = {
        (data.products[product].item, data.keywords[keyword].canonical): float(of_pair)
        for product, keyword, of_pair in zip(
            data.training.product, data.training.keyword, data.training.weight, strict=True
        )
    }
    assert min(weight.values()) == 1.0  # one click
    assert max(weight.values()) > np.log2(11)  # a purchase and its click


def test_a_history_without_clicks_is_refused(history: History) -> None:
    with pytest.raises(NoPairs, match="longer history"):
        tower_data(history, history.span[0] + 1, 6 * HOUR_MS)


# --- negatives ----------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1_000))
def test_hard_negatives_are_near_never_the_nearest_and_never_known(seed: int) -> None:
    rng = np.random.default_rng(seed)
    products, keywords = (_unit(rng.normal(size=(count, 8))) for count in (20, 900))
    pairs = Pairs(rng.integers(0, 20, 400), rng.integers(0, 900, 400), np.ones(400, np.float32))
    known = KnownPairs(pairs, 900)
    drawn, pool = hard_negatives(products, keywords, known, 5, rng)
    ranks = np.argsort(np.argsort(-(products @ keywords.T), axis=1), axis=1)
    assert drawn.shape == (20, 5)
    assert pool == 400
    rank = np.take_along_axis(ranks, drawn, axis=1)
    assert rank.min() >= 200
    assert rank.max() < 600
    assert not known.among(np.arange(20)[:, np.newaxis], drawn).any()
    assert all(len(set(row)) == 5 for row in drawn.tolist())


@given(seed=st.integers(0, 1_000))
def test_known_pairs_by_product_and_by_pair_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = Pairs(rng.integers(0, 9, 30), rng.integers(0, 7, 30), np.ones(30, np.float32))
    known = KnownPairs(pairs, 7)
    asked = np.unique(rng.integers(0, 12, 5))
    table = np.zeros((len(asked), 7), bool)
    table[known.of(asked)] = True
    np.testing.assert_array_equal(table, known.among(asked[:, np.newaxis], np.arange(7)))


# --- loss ---------------------------------------------------------------------------------------------------------


def test_false_negatives_do_not_enter_the_loss() -> None:
    generator = torch.Generator().manual_seed(3)
    products, keywords = ((torch.randn(4, 8, generator=generator) / 8).requires_grad_() for _ in range(2))
    columns = loss.Columns(keywords, torch.zeros(4), torch.tensor([0, 1, 2, 0]))
    forbidden = torch.zeros(4, 4, dtype=torch.bool)
    forbidden[0, 3] = forbidden[3, 0] = True  # the same keyword
    forbidden[0, 0] = True  # its own, which is let through
    logits = loss.in_batch(products, torch.arange(4), columns, forbidden)
    assert torch.isinf(logits).sum() == 2
    loss.losses(logits, torch.arange(4))[0].backward()
    assert keywords.grad is not None
    assert not keywords.grad[3].any()
    assert keywords.grad[:3].any(dim=1).all()


def test_the_correction_makes_the_sampled_loss_that_of_all_keywords() -> None:
    """On average over many batches, the corrected sum over sampled columns is the sum over all keywords."""
    rng = np.random.default_rng(4)
    product, keywords = _unit(rng.normal(size=(1, 6))), _unit(rng.normal(size=(30, 6)))
    share = rng.dirichlet(np.ones(30))
    whole = np.exp(loss.SCALE * keywords @ product[0]).sum()
    batch, sums = 16, []
    for _ in range(4_000):
        drawn = rng.choice(30, size=batch, p=share)
        columns = loss.Columns(
            torch.from_numpy(keywords[drawn]), torch.from_numpy(np.log(batch * share[drawn])), torch.from_numpy(drawn)
        )
        none = torch.zeros(1, batch, dtype=torch.bool)
        logits = loss.in_batch(torch.from_numpy(product), torch.zeros(1, dtype=torch.int64), columns, none)
        sums.append(float(torch.exp(logits).sum()))
    assert np.mean(sums) == pytest.approx(whole, rel=0.1)


# --- training -----------------------------------------------------------------------------------------------------


def fit(folder: Path, options: Options = OPTIONS, fingerprint: str = "f") -> Fitted:
    market = tower_market()
    return Fitting(market.towers(), market.data, market.inputs, options).run(Checkpoint(folder, fingerprint))


def test_training_learns_words_that_no_title_has(tmp_path: Path) -> None:
    market = tower_market()
    towers = market.towers()
    nicknames = Pairs(*(column[market.data.validation.keyword >= 100] for column in _columns(market.data.validation)))
    known = KnownPairs(market.data.training, len(market.data.keywords))

    def found() -> float:
        return recall(*embedded(towers, market.inputs), nicknames, known, depth=5)

    before = found()
    fitting = Fitting(towers, market.data, market.inputs, replace(OPTIONS, epochs=10))
    fitted = fitting.run(Checkpoint(tmp_path / "c", ""))
    towers.load_state_dict(fitted.weights)
    assert before < 0.5
    assert found() > 0.9
    losses = [epoch.training_loss for epoch in fitted.epochs[1:]]
    assert losses[-1] < losses[0]  # type: ignore[operator]
    assert fitted.best.recall_at_100 == max(epoch.recall_at_100 for epoch in fitted.epochs)


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole")
    fit(tmp_path / "parts", replace(OPTIONS, epochs=2))
    goes_on = fit(tmp_path / "parts")
    assert [_but_seconds(epoch) for epoch in goes_on.epochs] == [_but_seconds(epoch) for epoch in whole.epochs]
    for name, value in whole.weights.items():
        torch.testing.assert_close(goes_on.weights[name], value)


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    fit(tmp_path / "c", replace(OPTIONS, epochs=2), "one")
    told: list[Epoch] = []
    market = tower_market()
    fitting = Fitting(market.towers(), market.data, market.inputs, replace(OPTIONS, epochs=1))
    fitting.run(Checkpoint(tmp_path / "c", "other"), tell=told.append)
    assert [epoch.epoch for epoch in told] == [0, 1]


def test_it_stops_when_recall_no_longer_rises(tmp_path: Path) -> None:
    fitted = fit(tmp_path / "c", replace(OPTIONS, rate=0.0, epochs=50, patience=2))
    assert [epoch.epoch for epoch in fitted.epochs] == [0, 1, 2]
    assert fitted.best.epoch == 0


def test_the_pull_keeps_words_near_their_start(tmp_path: Path) -> None:
    def moved(pull: float) -> float:
        market = tower_market()
        towers = market.towers()
        start = towers.text.table()
        options = replace(OPTIONS, pull=pull, patience=9)
        Fitting(towers, market.data, market.inputs, options).run(Checkpoint(tmp_path / str(pull), ""))
        return float((towers.text.table() - start).norm())

    assert moved(0.2) < 0.8 * moved(0.0)


def test_the_best_of_several_trials_is_taken_and_the_towers_stay_as_they_were() -> None:
    market = tower_market()
    towers = market.towers()
    start = towers.text.table()
    hardly = replace(OPTIONS, epochs=2, rate=1e-4, pull=0.3)
    told: list[tuple[int, int]] = []
    found = tuned(towers, market.data, market.inputs, hardly, 6, lambda *done: told.append(done))
    assert told == [(done, 6) for done in range(1, 7)]
    assert found.recall_at_100 >= found.default_recall_at_100
    assert found.options.pull == hardly.pull
    torch.testing.assert_close(towers.text.table(), start)
    again = Fitting(towers, market.data, market.inputs, found.options).run()
    assert again.best.recall_at_100 == pytest.approx(found.recall_at_100)


# --- several processes ----------------------------------------------------------------------------------------------


def _gradients(rank: int, processes: int, rendezvous: str, out: str) -> None:
    """Gradients of one batch; rank 0 saves them. Both hard and in-batch negatives take part."""
    torch.set_num_threads(1)
    if processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=processes)
    market = tower_market()
    towers = market.towers()
    fitting = Fitting(towers, market.data, market.inputs, OPTIONS)
    rng = np.random.default_rng(2)
    mined = rng.integers(0, len(market.data.keywords), (len(market.data.products), 3)), 40
    pairs = replace(market.data.training, weight=rng.random(len(market.data.training)).astype(np.float32))
    fitting.batch_loss(pairs, rng.permutation(len(pairs))[:48], mined).backward()
    if rank == 0:
        torch.save({name: parameter.grad for name, parameter in towers.named_parameters()}, out)
    if processes > 1:
        dist.destroy_process_group()


def test_two_processes_have_the_gradients_of_one_with_the_joined_batch(tmp_path: Path) -> None:
    _gradients(0, 1, "", str(tmp_path / "one"))
    spawn = multiprocessing.get_context("spawn")
    arguments = (2, str(tmp_path / "rendezvous"), str(tmp_path / "two"))
    both = [spawn.Process(target=_gradients, args=(rank, *arguments)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    one, two = torch.load(tmp_path / "one"), torch.load(tmp_path / "two")
    assert set(one) == {"text.learnt", "metadata.weight"}
    for name, gradient in one.items():
        assert gradient.abs().max() > 1e-3
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-6)


# --- export -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained towers, exported; the fp32 vectors beside."""
    folder = tmp_path_factory.mktemp("export")
    market = tower_market()
    towers = market.towers()
    fitted = Fitting(towers, market.data, market.inputs, OPTIONS).run(Checkpoint(folder / "c", ""))
    towers.load_state_dict(fitted.weights)
    scale = similarity_scale(towers, market.inputs, market.data.validation)
    export(towers, "towers-static", market.inputs, scale, market.tokenizer, MAX_TOKENS, folder / "towers")
    np.savez(folder / "vectors.npz", *embedded(towers, market.inputs))
    found = quality(towers, folder / "towers", market.data, market.inputs)
    assert found.cosine > 0.999
    assert abs(found.recall_at_100 - found.recall_at_100_fp32) < 0.02
    return folder


def test_workers_get_the_vectors_that_were_trained(exported: Path) -> None:
    market, encoder = tower_market(), OnnxEncoder(exported / "towers")
    products, keywords = np.load(exported / "vectors.npz").values()
    np.testing.assert_allclose(encoder.encode([one.text for one in market.data.keywords]), keywords, atol=0.02)
    np.testing.assert_allclose(encoder.encode_products(market.data.products), products, atol=0.02)


def test_metadata_moves_a_product_and_what_was_never_learnt_does_not(exported: Path) -> None:
    encoder = OnnxEncoder(exported / "towers")
    plain, known, unheard = encoder.encode_products(
        [
            product(),
            product(category="boot"),
            product(condition="haunted"),
        ]
    )
    assert known @ plain < 0.999
    np.testing.assert_allclose(unheard, plain, atol=1e-6)


def test_any_text_has_a_vector_of_length_one(exported: Path) -> None:
    encoder = OnnxEncoder(exported / "towers")
    vectors = encoder.encode(["", "🥾", "never heard of", "red boot " * 200])
    assert vectors.shape == (4, DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_similarities_are_on_the_known_models_scale(exported: Path) -> None:
    market, encoder = tower_market(), OnnxEncoder(exported / "towers")
    products, keywords = np.load(exported / "vectors.npz").values()
    pairs = market.data.validation
    similarity = encoder.similarity((products[pairs.product] * keywords[pairs.keyword]).sum(axis=1))
    np.testing.assert_allclose(np.quantile(similarity, [0.1, 0.5]), KNOWN_SCALE, atol=0.02)
    np.testing.assert_array_equal(encoder.similarity(np.array([-9.0, 9.0])), [-1.0, 1.0])


def test_a_changed_graph_is_refused(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported / "towers", tmp_path / "towers")
    (tmp_path / "towers" / "product.onnx").write_bytes(b"other")
    with pytest.raises(EncoderError, match=r"product\.onnx"):
        OnnxEncoder(tmp_path / "towers")


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _columns(pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return pairs.product, pairs.keyword, pairs.weight


def _but_seconds(epoch: Epoch) -> tuple[object, ...]:
    return epoch.epoch, str(epoch.training_loss), epoch.validation_loss, epoch.recall_at_100
