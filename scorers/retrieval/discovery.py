"""Where keyword discovery puts the keywords that shoppers typed for the first time: the index behind the alias.

The streams worker is handed `keyword_index` by the setting of that name; it knows nothing of what stands behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra import milvus
from infra.clock import SystemClock
from infra.log import get_logger
from infra.settings import Settings
from scorers.ranking.bundle import BundleRefused, load, read_manifest
from scorers.retrieval.index import IndexMissing, KeywordIndex

log = get_logger(__name__)


class DiscoveredKeywords:
    """Opens encoder and index with the first keywords: most workers never see any. Opened anew after a promotion.

    Before a bundle was trained and an index built there is nothing to add to: building it reads the searches anyway.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index: KeywordIndex | None = None
        self._bundle = ""

    def add(self, keywords: Sequence[tuple[str, str]]) -> None:
        """Add (canonical, text) of keywords; what is there already stays."""
        try:
            bundle = read_manifest(self._settings.bundle_path).model_version
            if self._index is None or bundle != self._bundle:
                self._index, self._bundle = self._open(), bundle
            self._index.add(keywords)
        except (BundleRefused, IndexMissing) as reason:
            log.warning("%d new keywords are not indexed yet: %s", len(keywords), reason)

    def _open(self) -> KeywordIndex:
        made = load(self._settings.bundle_path, self._settings)
        client = milvus.connect(self._settings)
        return KeywordIndex(client, self._settings, made.encoder(), SystemClock(), made.manifest.dictionary)


def keyword_index(settings: Settings) -> DiscoveredKeywords:
    """The index that the setting `keyword_index` names by default."""
    return DiscoveredKeywords(settings)
