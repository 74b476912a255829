"""Keeps the started experiments of a running worker up to date: what is started or stopped is heeded in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra import metrics
from infra.clock import Clock
from infra.failure import Failure
from infra.log import get_logger
from infra.settings import Settings
from scorers.experiments.arms import Arms, Experiment, conflict
from scorers.experiments.frozen import folder_of, known, load, read_frozen
from scorers.experiments.stops import stopped_arms

log = get_logger(__name__)

_EVERY_MS = 5_000
_NEVER = 1 << 62


class Refused(Failure):
    """An experiment cannot run. The text says why."""


class ExperimentReader:
    """Reads the folder of the started experiments into `arms`.

    What is wrong with an experiment is logged when it is first seen, and raises its alarm. A plan that was changed is
    not followed: what was frozen runs on, for a control group that got suggestions by a stray edit cannot be mended.
    """

    def __init__(self, settings: Settings, arms: Arms, clock: Clock, need_bundle: Callable[[str], None]) -> None:
        """`need_bundle` loads the bundle in a folder, unless that was done before; it raises `Failure`."""
        self._folder = folder_of(settings)
        self._late_ms = settings.late_horizon_ms
        self._arms = arms
        self._clock = clock
        self._need_bundle = need_bundle
        self._next_at = 0
        self._problems: dict[str, str] = {}

    def poll(self) -> bool:
        """Look at the folder, every few seconds. Whether an arm was stopped since: its lists are to be withdrawn."""
        now = self._clock.now_ms()
        if now < self._next_at:
            return False
        self._next_at = now + _EVERY_MS
        running = {one.plan.name: one for one in self._arms.experiments}
        experiments: dict[str, Experiment] = {}
        for name in known(self._folder):
            if name in running:
                experiments[name] = self._with_stops(running[name])
                self._tell(name, self._change(running[name]), "goes on as it was started")
        for name in sorted(known(self._folder), key=self._frozen_at):
            if name in experiments:
                continue
            try:
                one = experiments[name] = self._accepted(name, list(experiments.values()), now)
                self._tell(name, self._change(one), "runs as it was started")
            except Failure as refused:
                self._tell(name, str(refused), "refused")
        self._arms.experiments = tuple(experiments.values())
        return any(experiments[name].stopped != one.stopped for name, one in running.items() if name in experiments)

    def _accepted(self, name: str, others: Sequence[Experiment], now_ms: int) -> Experiment:
        """The experiment as it was frozen, if it can run beside the others.

        Raises:
            Failure: it cannot.
        """
        from scorers.experiments.duration import ends_ms  # scipy: a second that a worker without experiments is spared

        frozen = read_frozen(self._folder, name)
        plan = frozen.as_started()
        one = self._with_stops(Experiment(plan, frozen.checksum, ends_ms(plan, self._late_ms)))
        if problem := conflict(one, others):
            raise Refused(problem)
        for bundle in one.bundles if now_ms < one.stands_until_ms else ():
            try:
                self._need_bundle(bundle)
            except Failure as refused:
                raise Refused(f"arms.bundle: {refused}") from refused
        log.info("experiment %s: from %s, checksum %s", name, plan.start, frozen.checksum[:12])
        return one

    def _with_stops(self, one: Experiment) -> Experiment:
        """The experiment with the arms stopped that its folder says."""
        after = one.with_stops(stopped_arms(self._folder / one.plan.name))
        for arm in sorted(after.stopped - one.stopped):
            control = one.plan.control.name
            log.warning("experiment %s: arm %s is stopped: it shows what %s does", one.plan.name, arm, control)
        return after

    def _frozen_at(self, name: str) -> int:
        """The same order in every worker; what cannot be read comes last."""
        try:
            return read_frozen(self._folder, name).frozen_at
        except Failure:
            return _NEVER

    def _change(self, one: Experiment) -> str:
        """What is no longer as it was started; empty when all is."""
        name = one.plan.name
        try:
            if read_frozen(self._folder, name).checksum != one.checksum:
                return "it was started anew with another plan; give that one a name of its own"
            changed = load(self._folder, name).changed
        except (Failure, OSError, ValueError) as problem:
            return f"its plan cannot be read: {problem}"
        return f"the plan was changed after its start: {', '.join(changed)}" if changed else ""

    def _tell(self, name: str, problem: str, outcome: str) -> None:
        """Log what is wrong once, until it is something else, and keep its alarm up."""
        if problem and self._problems.get(name) != problem:
            log.error("experiment %s %s: %s", name, outcome, problem)
        metrics.EXPERIMENT_ALARMS.labels(name).set(bool(problem))
        self._problems[name] = problem
