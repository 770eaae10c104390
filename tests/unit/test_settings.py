"""Settings from the environment: what is read, and what is said of a value that cannot be used."""

from __future__ import annotations

from dataclasses import fields

import pytest

from leadgate.settings import Settings, SettingsError, list_variables


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LEADGATE_LEASE_SECONDS", "long", "not a number"),
        ("LEADGATE_LEASE_SECONDS", "nan", "not a number"),
        ("LEADGATE_BATCH_LIMIT", "inf", "not a number"),
        ("LEADGATE_BATCH_LIMIT", "0", "the least is 1"),
        ("LEADGATE_BATCH_LIMIT", "2.5", "no whole number"),
        ("LEADGATE_FILE_MEMORY_MB", "63", "the least is 64"),
        ("LEADGATE_CAPTURE_PORT", "65536", "the last one is 65535"),
        ("LEADGATE_CONSOLE_URL", "leads.example.com", "write it like https://"),
        ("LEADGATE_CONSOLE_URL", "https://leads.example.com/path", "write it like https://"),
        ("LEADGATE_PREFECT_PORT", "80.5", "no whole number"),
        ("LEADGATE_TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/24"),
        ("LEADGATE_KEY", "secret and short", "32"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_variable_and_what_is_allowed(
    name: str, value: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_environment({name: value})
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["x" * 8_000, "9" * 8_000, "-" + "9" * 300])
@pytest.mark.parametrize(
    "name",
    ["LEADGATE_LEASE_SECONDS", "LEADGATE_BATCH_LIMIT", "LEADGATE_CAPTURE_PORT", "LEADGATE_TRUSTED_PROXIES"],
)
def test_a_long_value_is_not_quoted_whole(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_environment({name: value})
    assert len(str(refused.value)) < 220


def test_a_secret_is_not_shown() -> None:
    secrets = {
        "LEADGATE_DATABASE_URL": "postgresql://a:hush@b/c",
        "LEADGATE_METRICS_TOKEN": "hush",
        "LEADGATE_KEY": "hush" * 8,
        "LEADGATE_MAIL_SERVER": "mailtos://a:hush@b.example",
    }
    read = Settings.from_environment(secrets)
    assert "hush" not in repr(read)
    assert (read.database_url, read.metrics_token, read.key, read.mail_server) == tuple(secrets.values())


FITTING = {"trusted_proxies": "10.0.0.0/24", "console_url": "https://leads.example.com"}


def test_each_setting_is_read_from_a_variable_of_its_name() -> None:
    values = {int: "4242", float: "42.5", str: "x" * 40}
    for setting in fields(Settings):
        name, default = f"LEADGATE_{setting.name.upper()}", getattr(Settings(home=None), setting.name)  # type: ignore[arg-type]
        value = FITTING.get(setting.name) or values.get(type(default), "x" * 40)
        assert getattr(Settings.from_environment({name: value}), setting.name) != default, name
        assert name in list_variables()
