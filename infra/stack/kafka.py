"""Apache Kafka in KRaft mode: its jars from Maven, run by the machine's Java."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from infra.kafka import QUIET, admin
from infra.log import get_logger
from infra.settings import Settings
from infra.stack.server import Unavailable, free_port

log = get_logger(__name__)

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
VERSION = re.search(r"<kafka.version>(.+)</kafka.version>", POM.read_text()).group(1)  # type: ignore[union-attr]
OLDEST_JAVA = 17
HOW_TO_INSTALL = "install it with `make stack-deps` (Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven)"
HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC")


class Kafka:
    """One broker that is its own controller."""

    name = "kafka"
    setting = "kafka_servers"
    kind = "apache-kafka"

    def install(self) -> str:
        java()
        jars()
        return VERSION

    def command(self, folder: Path, port: int) -> list[str]:
        properties = folder / "server.properties"
        properties.write_text(_properties(folder / "data", port, free_port()))
        run = [java(), *HEAP, f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", "-cp", f"{jars()}/*"]
        if not (folder / "data" / "meta.properties").exists():
            # One that begins with a dash is taken for an option.
            cluster = "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
            subprocess.run(
                [*run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
                check=True,
                capture_output=True,
                text=True,
            )
        return [*run, "kafka.Kafka", str(properties)]

    def url(self, folder: Path, port: int) -> str:
        return f"127.0.0.1:{port}"

    def probe(self, settings: Settings) -> str | None:
        admin(settings, **QUIET).list_topics(timeout=2)
        return None


def java() -> str:
    """Path of a Java of at least version 17. Raises `Unavailable`."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if not found:
        raise Unavailable(f"Java is missing: {HOW_TO_INSTALL}")
    answer = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    if not version or int(version.group(1)) < OLDEST_JAVA:
        said = answer.stderr.splitlines()[0] if answer.stderr else "nothing"
        raise Unavailable(f"Java {OLDEST_JAVA} or later is needed, {found} says {said!r}: {HOW_TO_INSTALL}")
    return found


def jars() -> Path:
    """Folder of Kafka's jars in the user's cache; Maven fetches them the first time. Raises `Unavailable`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keypulse"
    pinned = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    folder = cache / f"kafka-{VERSION}-{pinned}"
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if not maven:
        raise Unavailable(f"Maven, which fetches Kafka's jars, is missing: {HOW_TO_INSTALL}")
    log.info("fetching Apache Kafka %s's jars (43 MB) with Maven into %s", VERSION, folder)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as unfinished:
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        command = [maven, "-q", "-B", "-f", str(POM), goal, f"-DoutputDirectory={unfinished}/jars"]
        answer = subprocess.run([*command, "-DincludeScope=runtime"], capture_output=True, text=True, check=False)
        if answer.returncode:
            lines = [line for line in answer.stdout.splitlines() if "ERROR" in line]
            raise Unavailable(f"Maven could not fetch Kafka's jars: {lines[0] if lines else answer.stderr}")
        try:
            Path(unfinished, "jars").rename(folder)
        except OSError:  # another process was first
            if not folder.exists():
                raise
    return folder


def _properties(data: Path, port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"BROKER://127.0.0.1:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": 16_777_216,
        "replica.fetch.max.bytes": 16_777_216,
        "log.cleaner.dedupe.buffer.size": 16_777_216,  # the default takes a quarter of the heap
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
