"""The bundle: all that a worker needs to score, one folder, data only.

Models (UBJSON, JSON or ONNX), the encoder (ONNX), the keyword table with its vectors, pairs that buyers made, how
often sponsored places stay vacant, the canonical forms that keywords are counted under, and
`manifest.json` with checksums, feature names in order, windows and smoothing weights. A bundle that does not match is
refused.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.checksums import sha256
from infra.failure import Failure
from infra.settings import Settings
from scorers.keywords.table import Keyword, read_table
from scorers.ranking.features import REFERENCE_POSITION, Vocabulary, feature_names, feature_types, ranker_windows
from scorers.ranking.impression_share import ImpressionShare, Vacancies
from scorers.ranking.model import Calibration, Probabilities, load_model
from scorers.retrieval.encoders import OnnxEncoder
from streams.canonical import NO_VERSION, NORMAL, CanonicalForms, named, read_forms, write_forms

FORMAT = 3
SMOOTHING = ("smoothing_impressions", "smoothing_clicks", "smoothing_searches")
"""Settings that change what a derived feature means."""
AUCTION = ("usual_rivals", "typical_bid", "typical_ad_rate")
"""Settings that change what the terms of P(shown) mean."""
_FORMS = "forms.json"
_VACANCIES = "vacancies.parquet"
_RETRAIN = "run `keypulse train ranker --history DIR` with these settings, or set them as they were"


class BundleRefused(Failure):
    """A bundle is missing or does not match. The text says what differs and what to do."""

    exit_code = 2


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is. `features` are in the order of the models' columns."""

    format: int = FORMAT
    model_version: str
    created_at: int
    """ms"""
    windows: list[str]
    """That the models read, shortest first. A worker's vectors may have more."""
    features: list[str]
    feature_types: list[str]
    vocabulary: Vocabulary
    smoothing: dict[str, float]
    reference_position: float = REFERENCE_POSITION
    model: str = "boosted"
    """Of `scorers.ranking.model.KINDS`."""
    calibration: dict[str, Calibration] = {}
    """By target, as known at `trained_until`: what the bundle is judged by on the events that followed."""
    newest_calibration: dict[str, Calibration] = {}
    """By target, where the last day of the history tells it: what the bundle serves by."""
    impression_share: ImpressionShare = ImpressionShare()
    """What P(shown) rests on, as known at `trained_until`."""
    auction: dict[str, float] = {}
    """The settings of `AUCTION` under which that was learnt."""
    examination: float = 0.0
    """P(looked at) at a position is position ** -examination."""
    parameters: dict[str, dict[str, float]] = {}
    """Hyperparameters by target."""
    trained_until: int
    """ms; no event from then on was seen in training or validation."""
    history_days: float
    """Length of the history behind the keywords' volumes."""
    encoder: str
    dictionary: str = NO_VERSION
    """Version of the dictionary under which was counted what it learnt from."""
    metrics: dict[str, float]
    """Of training: losses, rows, positives."""
    files: dict[str, str]
    """Path within the bundle to sha256."""


Pair = tuple[str, str, int, int]
"""Item, canonical keyword, clicks, purchases."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was checked."""

    folder: Path
    manifest: Manifest
    models: Probabilities
    """As known when training ended."""

    @property
    def serving(self) -> Probabilities:
        """With the newest calibration."""
        return Probabilities(self.models.model, self.models.calibration | self.manifest.newest_calibration)

    def encoder(self) -> OnnxEncoder:
        """The embedding model."""
        return OnnxEncoder(self.folder / "encoder")

    def keywords(self) -> tuple[list[Keyword], NDArray[np.float16]]:
        """The keyword table and its vectors, row for row."""
        return read_table(self.folder / "keywords.parquet"), np.load(self.folder / "keywords.npy", allow_pickle=False)

    def canonical(self) -> CanonicalForms:
        """What keywords count under."""
        return read_forms(self.folder / _FORMS) if self.manifest.dictionary else NORMAL

    def vacancies(self) -> Vacancies:
        """How often sponsored places stay vacant, over the history; unknown to bundles of earlier releases."""
        path = self.folder / _VACANCIES
        return Vacancies(pl.read_parquet(path).iter_rows() if path.exists() else ())

    def pairs(self) -> list[Pair]:
        """Clicks and purchases per item and keyword over the history."""
        return list(pl.read_parquet(self.folder / "pairs.parquet").iter_rows())


def save_forms(folder: Path, canonical: CanonicalForms) -> None:
    """Write into the bundle's folder what keywords count under; nothing where there is no dictionary."""
    write_forms(folder / _FORMS, canonical)


def save_vacancies(folder: Path, found: pl.DataFrame) -> None:
    """Write into the bundle's folder `found`: canonical, vacancy."""
    found.write_parquet(folder / _VACANCIES)


def check_dictionary(manifest: Manifest, counted: str) -> None:
    """Check that the bundle was trained under the version of the dictionary that is `counted` under.

    Raises:
        BundleRefused: it was trained under another.
    """
    if manifest.dictionary != counted:
        raise BundleRefused(
            f"bundle {manifest.model_version} was trained under {named(manifest.dictionary)}, keywords are counted "
            f"under {named(counted)}: run `keypulse train ranker --history DIR` after `keypulse rebuild` and "
            "`keypulse backfill`, or `keypulse keywords publish` with the dictionary that it was trained under"
        )


def write(folder: Path, manifest: Manifest, fill: Callable[[Path], None]) -> Manifest:
    """Write a bundle aside, then put it in `folder`'s place; the one before is kept as `<folder>.previous`.

    `fill` writes the files into the folder that it is given. Checksums and the model version, which follows from them,
    are entered into the manifest, which is returned.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    fill(fresh)
    files = {str(path.relative_to(fresh)): sha256(path) for path in sorted(fresh.rglob("*")) if path.is_file()}
    identity = msgspec.structs.replace(manifest, files=files, created_at=0, model_version="")
    content = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()
    manifest = msgspec.structs.replace(manifest, files=files, model_version=f"{manifest.model}-{content[:12]}")
    (fresh / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    _swap(fresh, folder)
    return manifest


def install(made: Path, folder: Path) -> None:
    """Put a copy of the bundle in `made` in `folder`'s place; the one before is kept as `<folder>.previous`."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(made, fresh)
    _swap(fresh, folder)


def _swap(fresh: Path, folder: Path) -> None:
    previous = folder.with_name(f"{folder.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    if folder.exists():
        folder.rename(previous)
    fresh.rename(folder)


def load(folder: Path, settings: Settings) -> Bundle:
    """Read and check the bundle in `folder`.

    Raises:
        BundleRefused: it is missing, damaged, or was made for other windows, weights or features than ours.
    """
    manifest = read_manifest(folder)
    _check_files(folder, manifest)
    _check_settings(manifest, settings)
    try:
        models = Probabilities(load_model(manifest.model, folder), manifest.calibration)
    except Exception as error:
        raise BundleRefused(f"{folder}: the models cannot be read ({error}); {_RETRAIN}") from None
    if models.feature_names != manifest.features:
        raise BundleRefused(f"{folder}: the models were trained on other features than the manifest names; {_RETRAIN}")
    return Bundle(folder, manifest, models)


def read_manifest(folder: Path) -> Manifest:
    """The bundle's manifest.

    Raises:
        BundleRefused: it is missing or cannot be read.
    """
    path = folder / "manifest.json"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BundleRefused(f"{path} is missing: run `keypulse train ranker --history DIR`") from None
    except msgspec.MsgspecError as error:
        raise BundleRefused(f"{path} cannot be read ({error}); {_RETRAIN}") from None
    if manifest.format != FORMAT:
        raise BundleRefused(f"{path}: format {manifest.format}, this release reads {FORMAT}; {_RETRAIN}")
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BundleRefused(f"{path} is missing; copy the bundle again")
        if (found := sha256(path)) != expected:
            raise BundleRefused(f"{path}: checksum {found[:12]}, the manifest says {expected[:12]}; copy it again")


def _check_settings(manifest: Manifest, settings: Settings) -> None:
    ours = {name: getattr(settings, name) for name in (*SMOOTHING, *manifest.auction)}
    theirs = manifest.smoothing | manifest.auction
    if not set(ranker_windows(manifest.windows)) <= set(settings.windows):
        raise BundleRefused(
            f"setting windows: {','.join(settings.windows)}, the bundle was trained on {','.join(manifest.windows)}; "
            + _RETRAIN
        )
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise BundleRefused(f"setting {name}: {value}, the bundle was trained with {theirs.get(name)}; {_RETRAIN}")
    expected = list(feature_names(manifest.windows))
    if manifest.features != expected or manifest.feature_types != feature_types(manifest.windows):
        different = next((a for a, b in zip(manifest.features, expected, strict=False) if a != b), "their number")
        raise BundleRefused(f"the bundle's features differ from this release's (first: {different}); {_RETRAIN}")
