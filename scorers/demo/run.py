"""`keypulse demo`: the main job from nothing to suggestions, in the order in which `Demo.run` reads."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from feature_repo import consistency
from feature_repo.vector_reader import VectorReader
from infra import redis
from infra.clock import SystemClock
from infra.exclusive import exclusive
from infra.processes import Processes
from infra.settings import Settings, environment, load
from infra.stack import state
from infra.stack.supervisor import Supervisor
from infra.steps import Steps
from infra.topics import Topics
from scorers.demo import report
from scorers.demo.newcomers import MANY, Newcomers
from scorers.demo.observer import Observer
from scorers.demo.screen import Screen, summary
from scorers.pipeline.markets import MARKETS, Market
from scorers.pipeline.run import DICTIONARY, HISTORY, TOWERS, pipeline_home, promoted
from scorers.pipeline.stages import PASSED_ON
from streams import history
from streams.canonical import home_forms
from streams.contracts.events import Event, EventName
from streams.log_reader import log_reader
from streams.verification import Backlog, Verdict, verify

SHOCK_FACTOR = 8
BAD_RATIO = 0.002
_SETTLE_S = 3.0
_DRAIN_S = 90.0
_FIRST_LISTS_S = 90.0
_QUIET_S = 4.0
_TURN_S = 0.5
_CONSISTENCY_SAMPLE = 2_000


@dataclass(frozen=True)
class Size:
    """How large the demo is. The defaults are what its checks are meant for."""

    rate: int = 1_000
    """Live events a second."""
    duration_s: int = 100
    market: Market = MARKETS["small"]
    catalogue: Path | None = None
    """A team's own products to build the market around."""


class Demo:
    """One run, in a home of its own that is emptied first."""

    def __init__(self, size: Size, console: Console, home: Path) -> None:
        self._size = size
        self._console = console
        self._steps = Steps(console)
        self._home = home
        self._history = home / HISTORY
        self._clock = SystemClock()

    def run(self) -> dict[str, Any]:
        """Run it all and return the report.

        Raises:
            Failure: a server or a command failed; the text says which and why.
        """
        shutil.rmtree(self._home, ignore_errors=True)
        base = load(home=self._home, bundle_path=self._home / "bundle")
        ready = None if self._size.catalogue else promoted(self._size.market, pipeline_home(load()))
        supervisor = Supervisor(base, tell=self._console.print, tied=True)
        try:
            with self._steps.step("servers"):
                supervisor.up()
            settings = state.settings(home=self._home, bundle_path=self._home / "bundle")
            if ready:
                settings = settings.model_copy(update={"embedding_model": str(self._take_over(ready))})
            processes = Processes(environment(settings, *PASSED_ON), self._home / "logs")
            try:
                self._learn(processes, trained=ready is not None)
                return self._live(settings, processes)
            finally:
                processes.stop()
        finally:
            supervisor.down()

    def _take_over(self, ready: Path) -> Path:
        """Copy the pipeline's history, bundle, towers, and the dictionary it counted under; the towers' folder."""
        for part in (Path(HISTORY), Path("bundle"), TOWERS, DICTIONARY):
            shutil.copytree(ready / part, self._home / part)
        self._console.print(f"models: the bundle that the pipeline promoted in {ready}; delete that to train anew")
        return (self._home / TOWERS).absolute()

    def _learn(self, processes: Processes, trained: bool) -> None:
        """A market and its history, counted, and the models that are learnt from it; `trained`: but for the counts."""
        folder, size = str(self._history), self._size
        catalogue = [f"--catalogue={size.catalogue}"] if size.catalogue else []
        commands = {
            "topics": ["topics", "create"],
            "market and history": [*size.market.history(self._history), *catalogue],
            "keyword dictionary": ["keywords", "clean", folder],
            "dictionary published": ["keywords", "publish"],
            "backfill": ["backfill", f"--history={folder}"],
            "keyword index": ["index", "build", f"--history={folder}"],
            "ranker": ["train", "ranker", f"--history={folder}"],
            "evaluation": ["evaluate", f"--history={folder}", f"--out={self._home / 'eval.json'}"],
        }
        if trained:
            del commands["market and history"], commands["keyword dictionary"], commands["ranker"]
        for name, arguments in commands.items():
            with self._steps.timed(name) as console:
                processes.run(name, *arguments, shown=console.is_terminal)

    def _live(self, settings: Settings, processes: Processes) -> dict[str, Any]:
        observer = Observer(settings, self._clock)
        try:
            return self._watched(settings, processes, observer)
        finally:
            observer.stop()

    def _watched(self, settings: Settings, processes: Processes, observer: Observer) -> dict[str, Any]:
        with self._steps.step("workers"):
            observer.start()
            processes.start("shopper", "streams", "run", "--stages=shopper")
            processes.start("entity", "streams", "run", "--stages=entity")
            processes.start("archive", "features", "archive")
            processes.start("scorer", "scorer", "run")
            processes.run("states", "simulate", "state", str(self._history))
            self._wait_for_lists(processes, observer)
        with self._steps.step("live"):
            sent = self._stream(settings, processes, observer)
        with self._steps.step("workers stopped"):
            time.sleep(_SETTLE_S)  # windows move on, vectors that are due are written
            exit_codes = processes.stop()
            seen = observer.stop()
        with self._steps.step("recount") as advance:
            verdict = self._verify(settings, advance)
        source = VectorReader(redis.connect(settings.online_redis_url), settings)
        found = consistency.check(settings.feature_log_path, source, _CONSISTENCY_SAMPLE)
        return report.report(
            report.Run(
                rate=self._size.rate,
                parts=state.parts(settings),
                live=sent,
                consumed=self._consumed,
                deadlettered=_dead_letters(settings),
                verdict=verdict,
                consistency={"compared": found.compared, "mismatches": found.mismatches},
                seen=seen,
                campaigns=_open_campaigns(self._history / "campaigns.jsonl"),
                newcomers=self._newcomers,
                evaluation=json.loads((self._home / "eval.json").read_text()),
                exit_codes=exit_codes,
                seconds=self._steps.seconds,
                canonical=home_forms(settings),
            )
        )

    def _wait_for_lists(self, processes: Processes, observer: Observer) -> None:
        """Wait until first lists come, and then until they stop coming in numbers."""
        begun = quiet_since = time.monotonic()
        before = 0
        while time.monotonic() - begun < _FIRST_LISTS_S:
            time.sleep(_TURN_S)
            processes.check()
            now = len(observer.seen.sets)
            if now != before:
                before, quiet_since = now, time.monotonic()
            elif now and time.monotonic() - quiet_since > _QUIET_S:
                return

    def _stream(self, settings: Settings, processes: Processes, observer: Observer) -> dict[str, Any]:
        """Live events with a surge half-way, shown as they are answered, until all are counted."""
        size = self._size
        told = self._home / "live.json"
        observer.seen.since_ms = self._clock.now_ms()
        shock = f"auto:{SHOCK_FACTOR}x@{size.duration_s // 2}s"
        processes.start(
            "producer", "simulate", "live", str(self._history), f"--rate={size.rate}", f"--duration={size.duration_s}",
            f"--shock={shock}", f"--bad-ratio={BAD_RATIO}", f"--summary={told}", "--json",
        )  # fmt: skip
        screen, backlog = Screen(self._console), Backlog(settings)
        newcomers = Newcomers(settings, self._history / "campaigns.jsonl", self._clock)
        every_s = size.duration_s / (MANY + 1)
        began = time.monotonic()
        produced, at = backlog.produced(), time.monotonic()
        rate = 0.0
        with screen.open():
            while not processes.ended("producer"):
                time.sleep(_TURN_S)
                processes.check("producer")
                if time.monotonic() - began > every_s * (len(newcomers.opened_ms) + 1):
                    newcomers.open_next()
                now, moment = backlog.produced(), time.monotonic()
                if moment - at > 2:
                    rate, produced, at = (now - produced) / (moment - at), now, moment
                screen.show("live", rate, backlog.records(), observer.seen)
        processes.wait("producer")
        deadline = time.monotonic() + _DRAIN_S
        while backlog.records() and time.monotonic() < deadline:
            processes.check()
            time.sleep(_TURN_S)
        self._newcomers = newcomers.opened_ms
        self._consumed = backlog.produced() - backlog.records()
        backlog.close()
        sent: dict[str, Any] = json.loads(told.read_text())
        if surge := sent["shock"]:
            canonical = home_forms(settings)(surge["keyword"])
            screen.say(f"surge: {surge['keyword']!r} was searched {surge['factor']}x as often. Answers:")
            for answer in observer.seen.answers_to(canonical, surge["at_ms"])[:5]:
                screen.say(f"  after {(answer.at_ms - surge['at_ms']) / 1_000:.1f} s, {summary(answer)}")
        return sent

    def _verify(self, settings: Settings, advance: Any) -> Verdict:
        logs = history.read(self._history, settings.partitions)

        def past(name: EventName, partition: int) -> list[Event]:
            return list(logs[name, partition].events())

        return verify(settings, past, advance)


def _open_campaigns(campaigns: Path) -> list[str]:
    states = (json.loads(line) for line in campaigns.read_text().splitlines())
    return [state["campaign"] for state in states if state["status"] != "ended"]


def _dead_letters(settings: Settings) -> int:
    with log_reader(settings, "demo") as reader:
        return sum(1 for _ in reader.until_now(Topics.of(settings).deadletter))


def demo(size: Size, out: Path) -> bool:
    """Run the demo, print its summary and write the report; whether every check held."""
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = load().home / "demo"
    with exclusive(home):
        made = Demo(size, console, home).run()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(made, indent=2) + "\n")
    report.show(console, made)
    console.print(f"{out} written")
    return bool(made["ok"])
