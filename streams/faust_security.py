"""`kafka_options` for Faust, whose Kafka client is not librdkafka: the same words, turned into its credentials."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from infra.settings import Settings, SettingsError

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_UNDERSTOOD = {
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
}


def credentials(settings: Settings) -> Credentials | None:
    """What Faust presents to the broker; None where nothing is asked for.

    Raises:
        SettingsError: an option that librdkafka takes and Faust's client doesn't, so that its agents could not connect
            or would connect with less than was asked for.
    """
    options = settings.kafka_options
    for name in options:
        if name.startswith(("sasl.", "ssl.")) and name not in _UNDERSTOOD:
            raise _wrong(name, f"the agents' client knows only {', '.join(sorted(_UNDERSTOOD))}")
    protocol = options.get("security.protocol", "plaintext").lower()
    tls = _tls(options) if protocol.endswith("ssl") else None
    if not protocol.startswith("sasl"):
        return SSLCredentials(tls) if tls else None
    mechanism = options.get("sasl.mechanism", options.get("sasl.mechanisms", "GSSAPI"))
    if mechanism not in MECHANISMS:
        raise _wrong("sasl.mechanism", f"got {mechanism}; the agents' client takes {', '.join(MECHANISMS)}")
    return SASLCredentials(
        username=options.get("sasl.username"),
        password=options.get("sasl.password"),
        ssl_context=tls,
        mechanism=mechanism,
    )


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    """As librdkafka would: certificate and host name are checked unless an option says otherwise."""
    place = options.get("ssl.ca.location", "probe")
    file, folder = (None, None) if place == "probe" else (None, place) if Path(place).is_dir() else (place, None)
    try:
        context = ssl.create_default_context(cafile=file, capath=folder, cadata=options.get("ssl.ca.pem"))
        if certificate := options.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, options.get("ssl.key.location"), options.get("ssl.key.password"))
    except OSError as error:  # which ssl.SSLError is
        raise _wrong("ssl.ca.location, ssl.ca.pem, ssl.certificate.location or ssl.key.location", str(error)) from error
    checked = options.get("enable.ssl.certificate.verification", "true").lower() == "true"
    context.check_hostname = checked and options.get("ssl.endpoint.identification.algorithm", "https") == "https"
    if not checked:
        context.verify_mode = ssl.CERT_NONE
    return context


def _wrong(option: str, why: str) -> SettingsError:
    return SettingsError(f"setting kafka_options: {option}: {why}")
