"""What `kafka_options` mean to librdkafka, they mean to Faust's client."""

from __future__ import annotations

import ssl

import pytest
from faust.auth import SASLCredentials, SSLCredentials

from infra.settings import SettingsError, load
from streams.faust_security import MECHANISMS, credentials

LOGIN = {"sasl.username": "keypulse", "sasl.password": "secret"}


def test_nothing_asked_for_is_nothing_presented() -> None:
    assert credentials(load(kafka_options={"statistics.interval.ms": "1000"})) is None


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("name", ["sasl.mechanism", "sasl.mechanisms"])
def test_a_login_without_tls(mechanism: str, name: str) -> None:
    made = credentials(load(kafka_options={"security.protocol": "sasl_plaintext", name: mechanism, **LOGIN}))
    assert isinstance(made, SASLCredentials)
    assert (made.mechanism.value, made.protocol.value) == (mechanism, "SASL_PLAINTEXT")
    assert (made.username, made.password, made.ssl_context) == ("keypulse", "secret", None)


def test_a_login_over_tls_checks_certificate_and_host() -> None:
    made = credentials(load(kafka_options={"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", **LOGIN}))
    assert isinstance(made, SASLCredentials)
    assert made.protocol.value == "SASL_SSL"
    assert made.ssl_context is not None
    assert made.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert made.ssl_context.check_hostname


@pytest.mark.parametrize(
    ("options", "verify", "host"),
    [
        ({}, ssl.CERT_REQUIRED, True),
        ({"ssl.endpoint.identification.algorithm": "none"}, ssl.CERT_REQUIRED, False),
        ({"enable.ssl.certificate.verification": "false"}, ssl.CERT_NONE, False),
    ],
)
def test_tls_alone_is_as_strict_as_asked(options: dict[str, str], verify: ssl.VerifyMode, host: bool) -> None:
    made = credentials(load(kafka_options={"security.protocol": "ssl", **options}))
    assert isinstance(made, SSLCredentials)
    assert (made.context.verify_mode, made.context.check_hostname) == (verify, host)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"security.protocol": "sasl_ssl", **LOGIN}, "sasl.mechanism: got GSSAPI"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "OAUTHBEARER"}, "sasl.mechanism: got OAUTHBEARER"),
        ({"security.protocol": "ssl", "ssl.keystore.location": "k.p12"}, "ssl.keystore.location: the agents' client"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere.pem"}, "ssl.ca.location.*No such file"),
        ({"security.protocol": "ssl", "ssl.ca.pem": "nonsense"}, "ssl.ca.location"),
    ],
)
def test_what_fausts_client_cannot_do_stops_the_start(options: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=f"setting kafka_options: {said}"):
        credentials(load(kafka_options=options))
