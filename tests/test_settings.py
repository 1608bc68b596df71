"""Settings: every problem at once, each with its remedy, and never a value, which may be a secret."""

from pathlib import Path

import pytest

from bot.settings import SETTINGS, BadSettings, read_settings

SECRET = "canary-secret-value"
GOOD = {
    "HARBORLINE_HOME": "/srv/harborline",
    "DATABASE_URL": f"postgresql://harbor:{SECRET}@db/harbor",
    "PUBLIC_URL": "https://line.example.org/",
    "PUBLIC_PORT": "443",
    "CONSOLE_PORT": "8443",
    "LISTEN": "::1",
    "CONSOLE_URL": "https://console.example.org",
    "TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "TWILIO_AUTH_TOKEN": SECRET,
    "TWILIO_API_URL": "http://127.0.0.1:9000",
    "TELEGRAM_BOT_TOKEN": f"123456:{SECRET}-and-more",
    "TELEGRAM_WEBHOOK_SECRET": SECRET,
    "TELEGRAM_API_URL": "http://127.0.0.1:9001",
    "RASA_URL": "http://rasa:5005",
    "UNDERSTANDING_BUDGET": "1.5",
    "HEARTBEAT_URL": f"https://monitor.example.org/{SECRET}?status=up",
    "LOG_LEVEL": "debug",
}
BAD = {
    "DATABASE_URL": f"mysql://{SECRET}",
    "PUBLIC_URL": f"ftp://{SECRET}",
    "PUBLIC_PORT": f"{SECRET}",
    "CONSOLE_PORT": "65536",
    "LISTEN": "everywhere!",
    "CONSOLE_URL": f"https://console.example.org/?{SECRET}",
    "TWILIO_ACCOUNT_SID": f"AC{SECRET}",
    "TWILIO_API_URL": "http://",
    "TELEGRAM_BOT_TOKEN": SECRET,
    "TELEGRAM_WEBHOOK_SECRET": "short",
    "TELEGRAM_API_URL": "",
    "RASA_URL": f"http://[{SECRET}",
    "UNDERSTANDING_BUDGET": "9",
    "HEARTBEAT_URL": f"https://{SECRET}@monitor.example.org",
    "LOG_LEVEL": "LOUD",
}


def problems(environment: dict[str, str]) -> list[str]:
    """What is wrong with an environment."""
    with pytest.raises(BadSettings) as bad:
        read_settings(environment)
    assert str(bad.value) == "\n".join(bad.value.problems)
    return bad.value.problems


def test_an_empty_environment_is_a_machine_of_its_own() -> None:
    settings = read_settings({})
    assert settings.harborline_home == Path("var")
    assert (settings.key_ring, settings.line_file) == (Path("var/keyring"), Path("var/line.yml"))
    assert (settings.database_url, settings.public_port, settings.console_port) == ("", 8080, 8081)
    assert settings.console_url == "http://127.0.0.1:8081"
    assert settings.listen == "127.0.0.1"
    assert not settings.twilio
    assert not settings.telegram


def test_every_setting_is_read_from_its_name() -> None:
    settings = read_settings(GOOD)
    assert settings.harborline_home == Path("/srv/harborline")
    assert settings.public_url == "https://line.example.org"  # signatures are made over paths that begin with a slash
    assert (settings.public_port, settings.console_port, settings.log_level) == (443, 8443, "DEBUG")
    assert settings.twilio
    assert settings.telegram
    for name, value in GOOD.items():
        if name.endswith(("TOKEN", "SECRET", "SID", "API_URL")):
            assert getattr(settings, name.lower()) == value


def test_every_setting_can_come_from_a_file_whose_last_line_ends(tmp_path: Path) -> None:
    files = {}
    for name, value in GOOD.items():
        (tmp_path / name).write_text(f"{value}\n", encoding="utf-8")
        files[f"{name}_FILE"] = str(tmp_path / name)
    assert read_settings(files) == read_settings(GOOD)


def test_a_file_wins_over_a_value(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from the file")
    environment = {"TWILIO_AUTH_TOKEN": "from the environment", "TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "token")}
    assert read_settings(environment).twilio_auth_token == "from the file"


def test_the_old_name_of_postgresql_is_understood_everywhere() -> None:
    assert read_settings({"DATABASE_URL": "postgres://db/x"}).database_url == "postgresql://db/x"


def test_every_wrong_value_is_reported_at_once_with_its_remedy_and_without_the_value() -> None:
    found = problems(GOOD | BAD)
    assert [problem.split(" ", 1)[0] for problem in found] == [name for name in SETTINGS if name in BAD]
    for problem in found:
        name = problem.split(" ", 1)[0]
        assert problem == f"{name} cannot be used: set it to {SETTINGS[name].explain}."
    assert SECRET not in "\n".join(found)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_file_that_cannot_be_read_is_named_by_its_setting_alone(name: str, tmp_path: Path) -> None:
    (problem,) = problems({f"{name}_FILE": str(tmp_path / SECRET)})
    assert problem.startswith(f"{name}_FILE names a file that cannot be read")
    assert SECRET not in problem


def test_a_file_that_is_no_text_is_a_problem_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "port").write_bytes(b"\xff\xfe")
    assert len(problems({"PUBLIC_PORT_FILE": str(tmp_path / "port")})) == 1


def test_an_account_without_its_token_is_refused() -> None:
    (problem,) = problems({"TWILIO_ACCOUNT_SID": GOOD["TWILIO_ACCOUNT_SID"]})
    assert problem.startswith("TWILIO_AUTH_TOKEN is missing")


def test_settings_show_no_secret_when_printed() -> None:
    assert SECRET not in repr(read_settings(GOOD))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5005", "http://localhost:5005", "http://[::1]:5005", "http://rasa:5005"]
)
def test_rasa_may_be_asked_in_clear_on_this_machine_or_on_a_network_of_its_own(url: str) -> None:
    assert read_settings({"RASA_URL": url}).rasa_url == url


@pytest.mark.parametrize(
    "url", ["http://rasa.example.org", "http://192.0.2.7:5005", "http://[2001:db8::1]", "http://127.0.0.1.example.org"]
)
def test_words_are_not_sent_to_another_machine_in_clear(url: str) -> None:
    assert problems({"RASA_URL": url})[0].startswith("RASA_URL cannot be used")
    assert read_settings({"RASA_URL": url.replace("http:", "https:")}).rasa_url
