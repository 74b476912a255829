"""From tables to a table of suggestions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from infra.settings import Settings
from scorers.data.reading import BadTable
from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder, OnnxEncoder
from scorers.retrieval.export import ensure_export
from scorers.retrieval.matching import Matcher
from scorers.steps import Steps
from scorers.suggest.bought import Bought
from scorers.suggest.evidence import Evidence, read_evidence
from scorers.suggest.suggester import Suggester, says_anything
from scorers.suggest.tables import read_keywords, read_products
from streams.messages import ProductState

_log = logging.getLogger(__name__)


def suggestions(
    products: Sequence[ProductState],
    keywords: Sequence[Keyword],
    evidence: Evidence | None,
    encoder: Encoder,
    settings: Settings,
    top: int,
    steps: Steps,
) -> pl.DataFrame:
    """The best keywords of each product; columns as `Suggester.suggest` gives them."""
    if evidence and evidence.searches:
        keywords = [msgspec.structs.replace(one, volume=evidence.searches.get(one.canonical, 0)) for one in keywords]
    with steps.step("keywords embedded") as advance:
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            advance(done, len(keywords))

        catalogue = KeywordCatalogue(keywords, encoder.encode([one.text for one in keywords], tell))
    matcher = Matcher(encoder, catalogue)
    bought = None
    if evidence:
        with steps.step("history embedded"):
            bought = _bought(evidence, products, catalogue, matcher)
    with steps.step("suggestions") as advance:
        return Suggester(catalogue, matcher, settings.relevance_floor, bought).suggest(products, top, advance)


def _bought(
    evidence: Evidence, products: Sequence[ProductState], catalogue: KeywordCatalogue, matcher: Matcher
) -> Bought:
    """Of the products that the history knows, those with a text: the tables' own description goes first."""
    described = {product.item: product for product in (*evidence.products, *products)}
    known = evidence.pairs.get_column("product_id").unique(maintain_order=True)
    texts = [described[item] for item in known if item in described and says_anything(described[item])]
    if not texts:
        _log.warning("the history has no click or purchase of a product that is described: it betters nothing")
    vectors = [text.vector for text in matcher.read(texts)]
    return Bought(catalogue, evidence.pairs, [product.item for product in texts], np.array(vectors, np.float32))


def suggest_command(products: Path, keywords: Path, out: Path, top: int, history: Path | None, cleared: bool) -> None:
    """`keypulse suggest`.

    Raises:
        BadTable: a table cannot be used.
    """
    from infra.settings import settings

    if out.suffix.lower() not in (".csv", ".parquet"):
        raise BadTable(f"--out {out}: must end in .csv or .parquet")
    goods, texts = read_products(products), read_keywords(keywords)
    evidence = read_evidence(history, settings()) if history else None
    steps = Steps()
    with steps.step("embedding model"):
        encoder = OnnxEncoder(ensure_export(settings()))
    frame = suggestions(goods, texts, evidence, encoder, settings(), top, steps)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".parquet":
        frame.write_parquet(out)
    else:
        frame.write_csv(out, float_precision=5)
    with_any = frame.get_column("product_id").n_unique()
    print(f"{out}: {len(frame):,} keywords for {with_any:,} of {len(goods):,} products")
