"""A broker that wants TLS and a login: all of Keypulse's Kafka clients connect by the same `kafka_options`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from feature_repo.vector_reader import VectorReader
from infra import kafka, redis
from infra.settings import Settings, environment, load
from infra.stack.kafka import Kafka, java
from infra.stack.server import free_port
from infra.topics import Topics
from streams.contracts.examples import CAMPAIGN
from tests.wait import until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

_SECURED = """
listener.security.protocol.map=BROKER:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.broker.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="keypulse" password="secret" user_keypulse="secret";
ssl.keystore.type=PKCS12
ssl.keystore.location={keystore}
ssl.keystore.password=changeit
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
"""


def _certificate(folder: Path) -> tuple[Path, Path]:
    """The broker's own key and certificate, and the certificate alone, for its clients to trust. By Java's keytool."""
    keytool = shutil.which("keytool", path=str(Path(java()).resolve().parent)) or "keytool"
    keystore, trusted = folder / "broker.p12", folder / "ca.pem"
    store = ["-keystore", str(keystore), "-storetype", "PKCS12", "-storepass", "changeit", "-alias", "broker"]
    names = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1", "-ext", "BC:critical=ca:true"]
    made = [keytool, "-genkeypair", *store, "-keyalg", "RSA", "-validity", "30", *names]
    subprocess.run(made, check=True, capture_output=True)
    subprocess.run([keytool, "-exportcert", *store, "-rfc", "-file", str(trusted)], check=True, capture_output=True)
    return keystore, trusted


@contextmanager
def secured_broker(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """bootstrap.servers of a broker of its own, and the options that it wants."""
    keystore, trusted = _certificate(folder)
    port = free_port()
    command = Kafka().command(folder, port)
    properties = folder / "server.properties"
    plain = [line for line in properties.read_text().splitlines() if not line.startswith("listener.security")]
    properties.write_text("\n".join(plain) + _SECURED.format(keystore=keystore, trusted=trusted))
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "keypulse",
        "sasl.password": "secret",
        "ssl.ca.location": str(trusted),
    }
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield f"127.0.0.1:{port}", options
        finally:
            process.kill()


@pytest.fixture
def secured_settings(integration_settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    folder = tmp_path / "secured"
    folder.mkdir()
    with secured_broker(folder) as (servers, options):
        given = integration_settings.model_dump(exclude={"kafka_servers", "kafka_options"}, exclude_unset=True)
        settings = load(kafka_servers=servers, kafka_options=options, **given)
        kafka.wait_ready(settings)
        yield settings


def test_agents_work_behind_tls_and_a_login(secured_settings: Settings) -> None:
    settings = secured_settings
    kafka.create_topics(settings)
    producer = kafka.producer(settings)
    producer.produce(Topics.of(settings).campaign_state.name, msgspec.json.encode(CAMPAIGN), CAMPAIGN.campaign)
    assert producer.flush(30) == 0
    reader = VectorReader(redis.connect(settings.online_redis_url), settings)
    names = ("home", "kafka_servers", "topic_prefix", "online_redis_url", "checkpoint_redis_url", "milvus_uri")
    given = environment(settings, *names) | {
        "KEYPULSE_KAFKA_OPTIONS": json.dumps(settings.kafka_options),
        "KEYPULSE_KEYWORD_INDEX": "",
    }
    command = [sys.executable, "-m", "keypulse", "streams", "run", "--stages", "shopper", "--instance", "secured"]
    with subprocess.Popen(command, env=os.environ | given) as worker:
        try:
            until(lambda: reader.rows("campaign", [CAMPAIGN.campaign]) != [None])
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        finally:
            worker.kill()
