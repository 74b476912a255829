"""docker-compose.yml and what it mounts. No Docker engine is needed: the files are checked, not run."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import infra.metrics  # noqa: F401  (registers the metrics)
from infra.settings import Settings, load
from scorers.experiments.frozen import folder_of

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
OURS = {name for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
DASHBOARD = json.loads((ROOT / "infra" / "grafana" / "dashboards" / "keypulse.json").read_text())
RULES = yaml.safe_load((ROOT / "infra" / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]

WORKERS = {
    "topics": ["infra.kafka"],
    "streams": ["streams.app", load().keyword_index.partition(":")[0]],
    "scorer": ["scorers.worker.run"],
    "feature-archive": ["streams.feature_archive"],
    "experiments": ["scorers.experiments.watch", "scorers.experiments.commands"],
    "lag": ["infra.lag"],
}
"""The modules that a service's command runs, and others that are run in its container."""
HOME = "/var/lib/keypulse"
BUNDLE, FEATURES, EXPERIMENTS = (f"{HOME}/{name}" for name in ("bundle", "features", "experiments"))
FOLDERS = {
    "settings.bundle_path": BUNDLE,
    "settings.feature_log_path": FEATURES,
    "folder_of(settings)": EXPERIMENTS,
}
"""Where the image has what a program names so."""
WRITTEN = {"feature-archive": {FEATURES}, "experiments": {EXPERIMENTS}}
"""By the one service that does; all others only read it."""


def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", "compose", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_obeys_the_compose_specification() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.skipif(
    not shutil.which("docker") or compose("version").returncode != 0, reason="docker compose is not installed"
)
def test_docker_compose_takes_it() -> None:
    answer = compose("config", "--quiet")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_limited_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+|:RELEASE\.\d{4}", service["image"]), "an image needs a version"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    if name not in ONE_SHOT:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert service["restart"] == "unless-stopped"


def test_volumes_that_are_used_are_declared_and_none_besides() -> None:
    mounts = [str(mount).split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    named = {mount for mount in mounts if re.fullmatch(r"[a-z-]+", mount)}
    assert named == set(COMPOSE["volumes"])
    assert all((ROOT / mount).exists() for mount in mounts if mount.startswith("./"))


def source(module: str) -> Path | None:
    """The file of one of our modules."""
    place = ROOT / module.replace(".", "/")
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def imported(text: str, at_once: bool = False) -> Iterator[str]:
    """Names that a module's source imports, at its top or (unless `at_once`) later; some are not modules."""
    tree = ast.parse(text)
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(modules: list[str], at_once: bool = False) -> dict[str, str]:
    """Source of these modules and of all ours that they import, by name."""
    found: dict[str, str] = {}
    ahead = list(modules)
    while ahead:
        module = ahead.pop()
        if module not in found and (path := source(module)) is not None:
            found[module] = path.read_text()
            ahead += imported(found[module], at_once)
    return found


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_folder_is_mounted_where_a_worker_reads_it(name: str) -> None:
    texts = sources(WORKERS[name]).values()
    read = {folder for named, folder in FOLDERS.items() if any(named in text for text in texts)}
    mounts = {mount.partition(":/")[2] for mount in SERVICES[name].get("volumes", [])}
    targets = {f"/{target.removesuffix(':ro')}": target.endswith(":ro") for target in mounts}
    assert read == targets.keys() & set(FOLDERS.values())
    assert {place for place in read if not targets[place]} == WRITTEN.get(name, set())


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_image_installs_what_a_worker_imports(name: str) -> None:
    """The tests' own environment holds more than the image."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-workers.lock").read_text(), re.MULTILINE))
    texts = sources(WORKERS[name], at_once=True).values()
    roots = {module.partition(".")[0] for text in texts for module in imported(text, at_once=True)}
    packages = packages_distributions()
    foreign = {root for root in roots & packages.keys() if source(root) is None}
    missing = {root for root in foreign if not {re.sub(r"[_.]", "-", one.lower()) for one in packages[root]} & locked}
    assert missing == set()


def test_whoever_looks_for_keywords_waits_for_milvus() -> None:
    for name, modules in WORKERS.items():
        connects = any("milvus.connect" in text for text in sources(modules).values())
        assert ("milvus" in SERVICES[name].get("depends_on", {})) == connects, name


def test_the_image_keeps_its_folders_where_the_settings_say() -> None:
    assert re.findall(r"KEYPULSE_HOME=(\S+)", DOCKERFILE) == [HOME]
    settings = load(home=Path(HOME))
    assert [str(place) for place in (settings.bundle_path, settings.feature_log_path, folder_of(settings))] == [
        BUNDLE,
        FEATURES,
        EXPERIMENTS,
    ]
    assert f"install --directory --owner=keypulse {FEATURES} {EXPERIMENTS}\n" in DOCKERFILE


def test_dependencies_exist_and_are_waited_for() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how["condition"] == wanted


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_our_services_run_commands_that_exist_with_settings_that_exist() -> None:
    from typer.main import get_command

    from keypulse import build

    known = get_command(build())
    for name in OURS:
        command: Any = known
        for word in SERVICES[name]["command"]:
            if hasattr(command, "commands"):
                assert word in command.commands, f"{name}: keypulse has no command {word}"
                command = command.commands[word]
        settings = {key.removeprefix("KEYPULSE_").lower() for key in SERVICES[name]["environment"]}
        assert settings <= set(Settings.model_fields)


def test_our_services_are_unprivileged() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_the_image_has_stages_and_no_root() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2
    assert all(re.search(r":\d", stage) for stage in stages)
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER keypulse$", last, re.MULTILINE)
    assert last.index("USER keypulse") < last.index("ENTRYPOINT")


def test_the_image_copies_only_what_its_context_holds() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert {source for line in copied for source in line.split()} <= allowed


def metric_names() -> set[str]:
    """Names of our metrics as Prometheus stores them."""
    return {
        sample.name for metric in REGISTRY.collect() for sample in metric.samples if sample.name.startswith("keypulse_")
    } | {
        name + suffix
        for metric in REGISTRY.collect()
        if (name := metric.name).startswith("keypulse_")
        for suffix in {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric.type, ("",))
    }


def used(expression: str) -> set[str]:
    return set(re.findall(r"keypulse_\w+", expression))


def panel_expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def test_alerts_and_panels_name_metrics_that_exist() -> None:
    named = {name for text in [*panel_expressions(), *(rule["expr"] for rule in RULES)] for name in used(text)}
    assert named - metric_names() == set()


def test_every_metric_has_a_panel() -> None:
    shown = {name for text in panel_expressions() for name in used(text)}
    families = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("keypulse_")}
    assert {family for family in families if not any(name.startswith(family) for name in shown)} == set()


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


def test_prometheus_asks_every_worker_of_ours() -> None:
    jobs = yaml.safe_load((ROOT / "infra" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {target.split(":")[0] for config in jobs[0]["static_configs"] for target in config["targets"]}
    assert targets == OURS - ONE_SHOT


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken = {(place["x"] + column, place["y"] + line) for column in range(place["w"]) for line in range(place["h"])}
        assert not taken & cells, panel["title"]
        cells |= taken
