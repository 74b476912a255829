"""A wrong setting names itself, what was given and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings import DAY_MS, HOUR_MS, Settings, SettingsError, load


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KEYPULSE_PARTITIONS", "0", r"setting partitions: got '0'; .* greater than or equal to 1"),
        ("KEYPULSE_PARTITIONS", "many", r"setting partitions: got 'many'; .* valid integer"),
        ("KEYPULSE_WINDOWS", "10m,2h", r"setting windows: '2h' is not one of 10m, 1h, 24h, 7d, 30d"),
        ("KEYPULSE_WINDOWS", "1h,10m", r"setting windows: '1h,10m' must be named once each, shortest first"),
        ("KEYPULSE_WINDOWS", "", r"setting windows: "),
        ("KEYPULSE_CURRENCY", "usd", r"setting currency: got 'usd'"),
        ("KEYPULSE_FUTURE_TOLERANCE_MS", str(HOUR_MS), r"must be smaller than late_horizon_ms"),
        ("KEYPULSE_TOPIC_PREFIX", "a b", r"setting topic_prefix: got 'a b'"),
        (
            "KEYPULSE_ONLINE_REDIS_URL",
            "localhost",
            r"setting online_redis_url: got 'localhost'; .*\(redis\|rediss\|unix\)://",
        ),
        ("KEYPULSE_MILVUS_URI", "localhost", r"setting milvus_uri: got 'localhost'; .*\(https\?\|tcp\|unix\)://"),
        ("KEYPULSE_KAFKA_OPTIONS", "{bad", r"setting kafka_options: it has to be JSON"),
        ("KEYPULSE_KAFKA_OPTIONS", '{"linger.ms":5}', r"setting kafka_options.linger.ms: got 5; .* valid string"),
        (
            "KEYPULSE_KAFKA_OPTIONS",
            '{"sasl.username":"u"}',
            r"setting kafka_options: sasl.username is given, but security.protocol is plaintext",
        ),
        (
            "KEYPULSE_KAFKA_OPTIONS",
            '{"security.protocol":"SASL_PLAINTEXT","ssl.ca.location":"ca.pem"}',
            r"ssl.ca.location is given, but security.protocol is sasl_plaintext.* to ssl or sasl_ssl",
        ),
    ],
)
def test_a_wrong_value_is_explained(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        load()


def test_every_wrong_setting_gets_its_line() -> None:
    with pytest.raises(SettingsError) as caught:
        load(partitions=0, currency="?")
    assert len(str(caught.value).splitlines()) == 2


MISSPELT = r"^KEYPULSE_PARTITION: no setting has this name; did you mean KEYPULSE_PARTITIONS\?$"


def test_a_misspelt_setting_in_the_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keypulse.env").write_text("KEYPULSE_PARTITION=8\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=MISSPELT):
        load()


def test_a_misspelt_setting_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYPULSE_PARTITION", "8")
    with pytest.raises(SettingsError, match=MISSPELT):
        load()


def test_a_name_that_resembles_none_gets_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYPULSE_XYZZY", "8")
    with pytest.raises(SettingsError, match=r"^KEYPULSE_XYZZY: no setting has this name$"):
        load()


def test_a_variable_that_is_an_option_of_the_command_line_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYPULSE_LOG_LEVEL", "DEBUG")
    load()


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keypulse.env").write_text("KEYPULSE_PARTITIONS=8\nKEYPULSE_CURRENCY=EUR\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYPULSE_PARTITIONS", "16")
    settings = load()
    assert (settings.partitions, settings.currency) == (16, "EUR")


def test_a_name_without_prefix_in_the_file_is_not_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keypulse.env").write_text("PARTITIONS=8\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SettingsError, match=r"^PARTITIONS: no setting has this name; did you mean KEYPULSE_PARTITIONS\?$"
    ):
        load()


def test_events_are_kept_longer_than_anything_could_need_them() -> None:
    settings = load(windows="10m,30d")
    assert settings.event_retention_ms > 30 * DAY_MS + settings.attribution_window_ms + settings.late_horizon_ms


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_bundle_lies_in_home_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYPULSE_HOME", "/elsewhere")
    assert load().bundle_path == Path("/elsewhere/bundle")
    monkeypatch.setenv("KEYPULSE_BUNDLE_PATH", "/models/bundle")
    assert load().bundle_path == Path("/models/bundle")
