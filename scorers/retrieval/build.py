"""From history to a keyword index in Milvus."""

from __future__ import annotations

import json
from pathlib import Path

from infra import milvus
from infra.clock import Clock, SystemClock
from infra.settings import Settings
from infra.steps import Steps
from scorers.history import History
from scorers.keywords.embedded import embedded_keywords, keyword_folder
from scorers.retrieval.encoders import OnnxEncoder, catalogue_encoder
from scorers.retrieval.export import ensure_export
from scorers.retrieval.index import KeywordIndex
from scorers.retrieval.versions import Versions
from streams.canonical import home_forms


def build(folder: Path, settings: Settings, clock: Clock, steps: Steps) -> str:
    """Index the keywords of the history in `folder`; the new version, which the alias then points to.

    Raises:
        BadHistory: the folder cannot be used.
        Unreachable: Milvus does not answer.
        IndexBroken: the new collection failed its check; the old one stays.
    """
    client = milvus.connect(settings)
    history = History(folder, home_forms(settings))
    with steps.step("embedding model"):
        encoder = OnnxEncoder(ensure_export(settings))
    with steps.step("keywords embedded") as advance:
        table = embedded_keywords(
            history,
            catalogue_encoder(encoder),
            keyword_folder(settings),
            advance,
            settings.min_distinct_shoppers,
        )
    index = KeywordIndex(client, settings, encoder, clock, history.canonical.version)
    with steps.step("keywords into Milvus") as advance:
        return index.build(table.keywords, table.vectors, advance)


def build_command(history: Path, as_json: bool) -> None:
    """`keypulse index build`."""
    from infra.stack.state import settings

    steps = Steps()
    version = build(history, settings(), SystemClock(), steps)
    print(json.dumps({"version": version, "seconds": steps.seconds}) if as_json else version)


def roll_back_command() -> None:
    """`keypulse index rollback`."""
    from infra.stack.state import settings

    print(Versions(milvus.connect(settings()), settings().keyword_collection).roll_back())
