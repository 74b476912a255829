"""What a benchmark found, as `reports/bench.json` holds it and as the terminal shows it."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from rich.table import Table

from streams.verification import Verdict


class Exactness(Struct, frozen=True, kw_only=True):
    """Vectors read back through Feast's bytes and compared with the recount."""

    compared: int
    mismatches: int
    examples: list[str] = []


class Result(Struct, frozen=True, kw_only=True):
    """One contender: what it drained in which time."""

    what: str
    events: int
    seconds: float
    """From the first consume to the last vector readable (of the limit: to the last event counted)."""
    events_per_second: float
    cpu_us_per_event: dict[str, float]
    """By process, and `all`."""
    memory_mb: dict[str, int]
    """Resident at the end, by process."""
    exactness: Exactness | None = None


def result(
    what: str,
    events: int,
    seconds: float,
    cpu_us_per_event: dict[str, float],
    memory_mb: dict[str, int],
    verdict: Verdict | None = None,
) -> Result:
    """A contender's result from what was measured, and from the comparison with the recount where there was one."""
    exactness = None
    if verdict is not None:
        exactness = Exactness(compared=verdict.compared, mismatches=verdict.mismatches, examples=verdict.examples)
    return Result(
        what=what,
        events=events,
        seconds=round(seconds, 3),
        events_per_second=round(events / seconds, 1),
        cpu_us_per_event=cpu_us_per_event,
        memory_mb=memory_mb,
        exactness=exactness,
    )


class Pace(Struct, frozen=True, kw_only=True):
    """Something that needs no broker."""

    events: int
    seconds: float
    events_per_second: float


def pace(events: int, seconds: float) -> Pace:
    """So many events in so many seconds."""
    return Pace(events=events, seconds=round(seconds, 3), events_per_second=round(events / seconds, 1))


class Function(Struct, frozen=True, kw_only=True):
    """A function's own time, i.e. without that of the functions of ours that it calls."""

    name: str
    group: str
    cpu_us_per_event: float


class Profile(Struct, frozen=True, kw_only=True):
    """Where one stage's time went, in a run of its own."""

    events: int
    cpu_us_per_event: dict[str, float]
    """By group of functions."""
    waiting_us_per_event: dict[str, float]
    functions: list[Function]


class Machine(Struct, frozen=True, kw_only=True):
    """Where it ran."""

    cpus: int
    python: str
    load_before: float
    """Processes that already wanted a CPU (1 minute mean): above about 1 the figures are not worth much."""
    parts: dict[str, dict[str, str]]


class Events(Struct, frozen=True, kw_only=True):
    """What was drained."""

    records: dict[str, int]
    mean_bytes: float
    span_s: float
    """Event time from the oldest to the newest."""


class Report(Struct, frozen=True, kw_only=True):
    """The whole benchmark."""

    machine: Machine
    events: Events
    results: dict[str, Result]
    """keypulse, plain_agent, limit."""
    ratios: dict[str, float]
    """Of events/s: keypulse over each of the others; and of CPU time an event."""
    offline: dict[str, Pace]
    """history: written by the simulator; backfill: that history counted."""
    profile: dict[str, Profile]
    """By stage."""


def ratios(results: dict[str, Result]) -> dict[str, float]:
    """How many times as many events a second, and as much CPU an event, as each other contender."""
    ours = results["keypulse"]
    found = {}
    for name, other in results.items():
        if name != "keypulse":
            found[f"throughput_over_{name}"] = round(ours.events_per_second / other.events_per_second, 3)
            found[f"cpu_over_{name}"] = round(ours.cpu_us_per_event["all"] / other.cpu_us_per_event["all"], 3)
    return found


def to_json(report: Report) -> bytes:
    """Pretty JSON, ending in a line break."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def tables(report: Report) -> list[Table]:
    """The comparison, and the profile of each stage."""
    ours = report.results["keypulse"]
    comparison = Table(title="Events to features, drained from a full topic")
    for heading in ("", "events", "s", "events/s", "ours is", "CPU us/event", "exact"):
        comparison.add_column(heading, justify="left" if not heading else "right")
    for result in report.results.values():
        exact = result.exactness
        comparison.add_row(
            result.what,
            f"{result.events:,}",
            f"{result.seconds:.2f}",
            f"{result.events_per_second:,.0f}",
            f"{ours.events_per_second / result.events_per_second:.2f}x",
            f"{result.cpu_us_per_event['all']:.1f}",
            "-" if exact is None else f"{exact.compared - exact.mismatches:,} of {exact.compared:,}",
        )
    return [
        comparison,
        _offline(report.offline),
        _cpu(ours),
        *(_profile(stage, profile) for stage, profile in report.profile.items()),
    ]


def _offline(offline: dict[str, Pace]) -> Table:
    table = Table(title="Without a broker")
    for heading in ("", "events", "s", "events/s"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, one in offline.items():
        table.add_row(name, f"{one.events:,}", f"{one.seconds:.2f}", f"{one.events_per_second:,.0f}")
    return table


def _cpu(result: Result) -> Table:
    table = Table(title=f"{result.what}: CPU and memory by process")
    table.add_column("process")
    table.add_column("us/event", justify="right")
    table.add_column("cores", justify="right")
    table.add_column("MB", justify="right")
    for name, used in result.cpu_us_per_event.items():
        cores = used * result.events_per_second / 1e6
        table.add_row(name, f"{used:.2f}", f"{cores:.2f}", f"{result.memory_mb.get(name, 0) or ''}")
    return table


def _profile(stage: str, profile: Profile) -> Table:
    table = Table(title=f"Where the {stage} stage's time goes, us/event (its thread alone)")
    for heading in ("group", "CPU", "waiting", "functions, by own CPU time"):
        table.add_column(heading, justify="right" if heading in ("CPU", "waiting") else "left")
    for group, used in sorted(profile.cpu_us_per_event.items(), key=lambda item: -item[1]):
        top = [one for one in profile.functions if one.group == group][:3]
        names = ", ".join(f"{_short(one.name)} {one.cpu_us_per_event:.2f}" for one in top)
        table.add_row(group, f"{used:.2f}", f"{profile.waiting_us_per_event.get(group, 0):.2f}", names)
    return table


def _short(function: str) -> str:
    """A function's name without its module, and without the closures around it."""
    return ".".join(part for part in function.split(".")[2:] if part != "<locals>")
