"""The dictionary: raw keywords to clusters, each with a status. A version is named by its content and never changes."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
import polars as pl

from infra.failure import Failure
from scorers.keywords.cleaner import Rules, learn, weight_of
from scorers.keywords.clusters import clusters
from scorers.keywords.compounds import Compound
from scorers.keywords.filters import Filters
from scorers.keywords.gibberish import Language
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.reading import Words, key, words
from scorers.keywords.spelling import Repair
from scorers.keywords.status import status_of
from streams.canonical import CanonicalForms
from streams.folding import fold
from streams.normal_form import normal_form

RAW = {"text": pl.String, "volume": pl.Int64, "shoppers": pl.Int64, "sellers_only": pl.Boolean}
"""Columns of raw keywords: each text once; `shoppers`, distinct ones, is null where nobody counted them."""
ENTRIES = {"text": pl.String, "volume": pl.Int64, "id": pl.String, "key": pl.String, "junk": pl.String}
"""Columns of the entries: `junk` says why a text is none; id and key are then null."""
CLUSTERS = {
    "id": pl.String,
    "key": pl.String,
    "text": pl.String,
    "status": pl.String,
    "volume": pl.Int64,
    "shoppers": pl.Int64,
    "members": pl.Int64,
    "group": pl.String,
}
"""Columns of the clusters, ordered by key; `group` is null where topics were not asked for, or a cluster has none."""
VOCABULARY = {"word": pl.String, "weight": pl.Float64, "texts": pl.Int64, "is_name": pl.Boolean}

Row = TypeVar("Row", Repair, Compound)
Progress = Callable[[int, int], None]


class BadDictionary(Failure):
    """A dictionary cannot be read. The text says why."""

    exit_code = 2


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a dictionary is and how it was made."""

    version: str
    """Digest of its content."""
    min_distinct_shoppers: int
    cleared: bool
    """The owner's word that a list without shoppers holds nothing private."""
    texts: int
    junk: int
    clusters: int
    suggestable: int


@dataclass(frozen=True)
class Dictionary:
    """Raw keywords, clusters, and the rules that lead from one to the other."""

    manifest: Manifest
    entries: pl.DataFrame
    clusters: pl.DataFrame
    rules: Rules
    vocabulary: pl.DataFrame
    """Columns `VOCABULARY`."""

    @cached_property
    def ids(self) -> dict[str, str]:
        """Folded text to the id of its cluster; junk left out."""
        known = self.entries.filter(pl.col("id").is_not_null())
        return {fold(text): ident for text, ident in known.select("text", "id").iter_rows()}

    def canonical(self, text: str) -> str:
        """What a text counts under: its cluster's id; its normal form while no version knows it."""
        return self.ids.get(fold(text)) or normal_form(text)

    @cached_property
    def forms(self) -> CanonicalForms:
        """What is published: texts whose canonical form is not their normal form."""
        known = self.entries.filter(pl.col("id").is_not_null()).select("text", "id").iter_rows()
        other = {fold(text): ident for text, ident in known if ident != normal_form(text)}
        return CanonicalForms(self.manifest.version, dict(sorted(other.items())))

    def knows(self, text: str) -> bool:
        """Whether this very text is an entry."""
        return text in self._texts

    @cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(self.entries.get_column("text"))

    def save(self, folder: Path) -> None:
        """Write entries, clusters, vocabulary, repairs and compounds as Parquet, and `manifest.json` last."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").unlink(missing_ok=True)
        self.entries.write_parquet(folder / "entries.parquet")
        self.clusters.write_parquet(folder / "clusters.parquet")
        _write(folder / "repairs.parquet", list(self.rules.repairs.values()), Repair)
        self.vocabulary.write_parquet(folder / "vocabulary.parquet")
        compounds = [*self.rules.joins.values(), *self.rules.splits.values()]
        _write(folder / "compounds.parquet", compounds, Compound)
        (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(self.manifest)))


def load(folder: Path) -> Dictionary:
    """Read what `Dictionary.save` wrote.

    Raises:
        BadDictionary: a file is missing, or is not what it should be.
    """
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
        rules = Rules()
        rules.add(_read(folder / "repairs.parquet", Repair), _read(folder / "compounds.parquet", Compound))
        entries, groups, vocabulary = (
            pl.read_parquet(folder / f"{name}.parquet") for name in ("entries", "clusters", "vocabulary")
        )
    except FileNotFoundError as error:
        raise BadDictionary(f"{error.filename or folder} is missing: `keypulse keywords clean` writes it") from None
    except (OSError, msgspec.MsgspecError, pl.exceptions.PolarsError) as error:
        raise BadDictionary(f"{folder} holds no dictionary that can be read: {error}") from None
    return Dictionary(manifest, entries, groups, rules, vocabulary)


def build(
    raw: pl.DataFrame,
    filters: Filters,
    lexicon: Lexicon,
    min_distinct_shoppers: int,
    cleared: bool = False,
    searches: pl.DataFrame | None = None,
    progress: Progress = lambda done, total: None,
) -> Dictionary:
    """A dictionary of raw keywords (columns `RAW`), the same whatever their order.

    `searches` (text, shopper): those of the days that count for the status. With them a cluster's shoppers are counted
    over all its texts; without, they are at least those of the text that most of them typed.
    """
    raw = raw.select(*RAW).sort("text")
    folded = [fold(text) for text in raw.get_column("text")]
    typed = [words(text) for text in folded]
    junk = _junk(folded, typed, filters, lexicon)
    weights: dict[Words, float] = defaultdict(float)
    for one, volume, reason in zip(typed, raw.get_column("volume"), junk, strict=True):
        if not reason:
            weights[one] += weight_of(volume)
    learnt = learn(weights, lexicon, progress)
    found = [None if reason else learnt.keys[one] for one, reason in zip(typed, junk, strict=True)]
    as_is = [name is not None and key(one) == name for one, name in zip(typed, found, strict=True)]
    entries = raw.with_columns(
        pl.Series("key", found, dtype=pl.String),
        pl.Series("as_is", as_is, dtype=pl.Boolean),
        pl.Series("junk", junk, dtype=pl.String).replace("", None),
    )
    kept = entries.filter(pl.col("junk").is_null())
    groups = clusters(kept).join(_shoppers(kept, searches), on="key", how="left", maintain_order="left")
    statuses = [
        status_of(shoppers, sellers_only, min_distinct_shoppers, cleared)
        for shoppers, sellers_only in groups.select("shoppers", "sellers_only").iter_rows()
    ]
    status = pl.Series("status", statuses, dtype=pl.String)
    groups = groups.with_columns(status, group=pl.lit(None, pl.String)).select(*CLUSTERS)
    entries = entries.join(groups.select("key", "id"), on="key", how="left", maintain_order="left").select(*ENTRIES)
    manifest = Manifest(
        version=_version(entries, groups),
        min_distinct_shoppers=min_distinct_shoppers,
        cleared=cleared,
        texts=len(entries),
        junk=len(entries) - len(kept),
        clusters=len(groups),
        suggestable=statuses.count("suggestable"),
    )
    return Dictionary(manifest, entries, groups, learnt.rules, _vocabulary(learnt.words, lexicon))


def _vocabulary(learnt: dict[str, tuple[float, int]], lexicon: Lexicon) -> pl.DataFrame:
    rows = [(word, *learnt.get(word, (0.0, 0)), word in lexicon.names) for word in learnt.keys() | lexicon.names]
    return pl.DataFrame(sorted(rows), schema=VOCABULARY, orient="row")


def _junk(folded: Sequence[str], typed: Sequence[Words], filters: Filters, lexicon: Lexicon) -> list[str]:
    """Why each text is no keyword; empty where it is one."""
    reasons = [filters.reason(text, one) for text, one in zip(folded, typed, strict=True)]
    language = Language(lexicon.familiar)
    texts_with = Counter(word for one in set(typed) for word in set(one))
    for place, one in enumerate(typed):
        alone = not reasons[place] and lexicon.names.isdisjoint(one) and all(texts_with[word] == 1 for word in one)
        if alone and all(map(language.is_noise, folded[place].split(" "))):
            reasons[place] = "gibberish"
    return reasons


def _shoppers(kept: pl.DataFrame, searches: pl.DataFrame | None) -> pl.DataFrame:
    """Distinct shoppers of each key: key, shoppers."""
    if searches is None:
        return kept.group_by("key").agg(pl.col("shoppers").max())
    typed = searches.join(kept.select("text", "key"), on="text")
    counted = typed.group_by("key").agg(pl.col("shopper").n_unique().cast(pl.Int64).alias("shoppers"))
    return kept.select("key").unique().join(counted, on="key", how="left").with_columns(pl.col("shoppers").fill_null(0))


def _version(entries: pl.DataFrame, groups: pl.DataFrame) -> str:
    content = hashlib.sha256()
    for frame in (entries, groups):
        for column in frame.columns:
            content.update(frame.get_column(column).hash(seed=0).to_numpy().tobytes())
    return content.hexdigest()[:12]


def _write(path: Path, rows: list[Row], kind: type[Row]) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    pl.DataFrame([msgspec.structs.asdict(row) for row in rows], schema=fields).write_parquet(path)


def _read(path: Path, kind: type[Row]) -> list[Row]:
    return [kind(**row) for row in pl.read_parquet(path).iter_rows(named=True)]
