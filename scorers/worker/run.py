"""`keypulse scorer run`: a scoring worker put together from its bundle, its index and the servers.

Neither torch nor feast is imported here or below: a worker starts in seconds and stays small.
"""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

from feature_repo.vector_reader import VectorReader
from infra import kafka, metrics, milvus, redis
from infra.clock import Clock, SystemClock
from infra.failure import Failure
from infra.log import get_logger
from infra.outage import survived
from infra.settings import Settings
from infra.topics import Topics
from scorers.experiments.arms import Arms
from scorers.experiments.reader import ExperimentReader
from scorers.ranking import bundle
from scorers.ranking.bundle import Bundle
from scorers.ranking.ranker import BundleRanker
from scorers.retrieval.candidates import CandidateGenerator
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.index import KeywordIndex
from scorers.scoring.offers import Offers
from scorers.scoring.scorer import Scorer
from scorers.worker.bundles import BundleScorers
from scorers.worker.controls import ControlReader
from scorers.worker.promoted import Promoted
from scorers.worker.publisher import ShardPublisher
from scorers.worker.shard import ScoringShard
from scorers.worker.worker import ScoringWorker, shards_of
from streams.canonical import named
from streams.dictionary_topic import published_version
from streams.exactly_once import Fenced, RedisCheckpoints

log = get_logger(__name__)


def make_scorers(settings: Settings, arms: Arms, clock: Clock) -> BundleScorers:
    """A scorer on the bundle, the index and the online store that `settings` name; others when an arm needs them.

    Raises:
        BundleRefused: the bundle is missing or does not match, or is of another dictionary than the streams.
        IndexMissing: no keyword index was built, or none with the bundle's encoder and dictionary.
        IncompleteDictionary: the topic holds part of one.
        Unreachable: a server does not answer.
    """

    def load(folder: Path) -> Scorer:
        made = bundle.load(folder, settings)
        bundle.check_dictionary(made.manifest, published_version(settings))
        return _scorer(made, settings, clock)

    place = settings.bundle_path
    promoted = Promoted(lambda: bundle.read_manifest(place).model_version, lambda: load(place), clock)
    return BundleScorers(promoted, load, arms, clock)


def _scorer(made: Bundle, settings: Settings, clock: Clock) -> Scorer:
    encoder = made.encoder()
    index = KeywordIndex(milvus.connect(settings), settings, encoder, clock, made.manifest.dictionary)
    days = made.manifest.history_days
    generator = CandidateGenerator(
        settings,
        encoder,
        KeywordCatalogue(*made.keywords()),
        index,
        clock,
        made.pairs(),
        days,
        canonical=made.canonical(),
    )
    dictionary = named(made.manifest.dictionary)
    log.info("model %s, %s, keyword index %s", made.manifest.model_version, dictionary, index.version)
    source = VectorReader(redis.connect(settings.online_redis_url), settings)
    return Scorer(settings, source, Offers(generator, settings, clock), BundleRanker(made, settings), days, clock)


def make_worker(settings: Settings, clock: Clock) -> ScoringWorker:
    """A worker for the shards that `settings.scorer_shards` names.

    Raises:
        SettingsError: `scorer_shards` names no shards.
        TopicMissing: topics were not created.
        BundleRefused, IndexMissing, IncompleteDictionary, Unreachable: see `make_scorers`.
    """
    numbers = shards_of(settings)
    topics = Topics.of(settings)
    kafka.wait_ready(settings, topics.signals, topics.suggestions, topics.exposures, topics.controls, topics.dictionary)
    arms = Arms()
    scorers = make_scorers(settings, arms, clock)
    controls = ControlReader(settings)
    return ScoringWorker(
        settings,
        scorers,
        [ScoringShard(number, settings, topics, scorers, controls.controls, arms) for number in numbers],
        RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix),
        lambda shard: ShardPublisher(settings, shard),
        controls,
        ExperimentReader(settings, arms, clock, scorers.need),
        clock,
    )


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT, then end after the turn at hand; start over when a server goes away.

    Raises:
        Failure: another worker took a shard over.
        SettingsError, TopicMissing, BundleRefused, IndexMissing, IncompleteDictionary, Unreachable: see `make_worker`.
    """
    worker: ScoringWorker | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        log.info("%s: stopping after this turn", signal.Signals(number).name)
        if worker is None:  # still loading
            raise SystemExit(0)
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with survived():
        worker = make_worker(settings, SystemClock())
        metrics.serve(settings.metrics_port)
        try:
            worker.run()
        except Fenced as fenced:
            raise Failure(f"{fenced}; two workers were given the same shard (setting scorer_shards)") from fenced
