"""From tables to a table of suggestions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from infra.settings import Settings
from infra.steps import Steps
from scorers.data.products import read_products
from scorers.data.reading import SUFFIXES, BadTable
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder, OnnxEncoder
from scorers.retrieval.export import ensure_export
from scorers.retrieval.matching import Matcher
from scorers.suggest.bought import Bought
from scorers.suggest.evidence import Evidence, read_evidence
from scorers.suggest.keywords import NOBODY_SEARCHED, KeywordList, read_keywords
from scorers.suggest.suggester import Suggester, says_anything
from streams.contracts.messages import ProductState

_log = logging.getLogger(__name__)


def suggestions(
    products: Sequence[ProductState],
    offered: KeywordList,
    evidence: Evidence | None,
    encoder: Encoder,
    settings: Settings,
    top: int,
    steps: Steps,
) -> pl.DataFrame:
    """The best keywords of each product; columns as `Suggester.suggest` gives them."""
    with steps.step("keywords embedded") as advance:
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            advance(done, len(offered.keywords))

        vectors = encoder.encode([one.text for one in offered.keywords], tell)
        catalogue = KeywordCatalogue(offered.keywords, vectors)
    matcher = Matcher(encoder, catalogue)
    bought = None
    if evidence:
        with steps.step("history embedded"):
            bought = _bought(evidence, offered, products, catalogue, matcher)
    with steps.step("suggestions") as advance:
        return Suggester(catalogue, matcher, settings.relevance_floor, bought).suggest(products, top, advance)


def _bought(
    evidence: Evidence,
    offered: KeywordList,
    products: Sequence[ProductState],
    catalogue: KeywordCatalogue,
    matcher: Matcher,
) -> Bought:
    """Of the products that the history knows, those with a text: the tables' own description goes first."""
    described = {product.item: product for product in (*evidence.products, *products)}
    known = evidence.pairs.get_column("product_id").unique(maintain_order=True)
    texts = [described[item] for item in known if item in described and says_anything(described[item])]
    if not texts:
        _log.warning("the history has no click or purchase of a product that is described: it betters nothing")
    vectors = np.array([text.vector for text in matcher.read(texts)], np.float32)
    forms = {text: offered.canonical(text) for text in evidence.pairs.get_column("text").unique()}
    pairs = evidence.pairs.with_columns(canonical=pl.col("text").replace_strict(forms, return_dtype=pl.String))
    return Bought(catalogue, pairs, [product.item for product in texts], vectors)


def suggest_command(products: Path, keywords: Path, out: Path, top: int, history: Path | None, cleared: bool) -> None:
    """`keypulse suggest`.

    Raises:
        BadTable: a table cannot be used.
    """
    from infra.settings import settings

    if out.suffix.lower() not in SUFFIXES:
        raise BadTable(f"--out {out}: must end in {' or '.join(SUFFIXES)}")
    steps = Steps()
    with steps.step("tables read, keywords cleaned"):
        goods = read_products(products)
        evidence = read_evidence(history, settings()) if history else None
        names = [name for product in goods for name in (product.title, product.brand) if name]
        offered = read_keywords(keywords, settings(), names, evidence.searches if evidence else NOBODY_SEARCHED)
    if not (offered.counted or cleared):
        _log.warning(
            "%s has no column `shoppers`: rare searches can hold names and addresses, and each keyword here may be "
            "suggested for any product; --cleared says that the list is free of them",
            keywords,
        )
    with steps.step("embedding model"):
        encoder = OnnxEncoder(ensure_export(settings()))
    frame = suggestions(goods, offered, evidence, encoder, settings(), top, steps)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".parquet":
        frame.write_parquet(out)
    else:
        frame.write_csv(out, float_precision=5)
    print(
        f"{len(offered.keywords):,} keywords may be suggested; left out: {offered.junk:,} texts that are none, "
        f"{offered.kept_back:,} keywords that too few shoppers typed"
    )
    served = frame.get_column("product_id").n_unique()
    print(f"{out}: {len(frame):,} suggestions for {served:,} of {len(goods):,} products")
