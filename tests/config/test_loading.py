import dataclasses
import pickle
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import pytest

from webhook_engine.config.loading import Config, DeliveryConfig, PlayConfig, Secret, Section, ServerConfig
from webhook_engine.config.sections import SECTIONS
from webhook_engine.errors import ConfigError

PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAsomething\n-----END PUBLIC KEY-----"

DEFAULTS = {
    "server.listen": "127.0.0.1:8071",
    "server.public_url": None,
    "server.trusted_proxies": (),
    "server.max_body": 2**20,
    "server.max_connections": 4096,
    "server.api": True,
    "server.portal": True,
    "server.play": True,
    "server.metrics": True,
    "server.strict_idempotency": False,
    "store.url": "sqlite:///webhook-engine.db",
    "store.schema": None,
    "outbox.sources": (),
    "auth.jwt_secret": None,
    "auth.jwt_algorithm": "HS256",
    "auth.jwt_public_key": None,
    "security.main_secret": None,
    "security.default_signature": "hmac256",
    "delivery.timeout": timedelta(seconds=15),
    "delivery.retry_schedule": tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 36000)),
    "delivery.max_payload": 2**20,
    "delivery.circuit_breaker": False,
    "transformations.modules": (),
    "transformations.timeout": timedelta(seconds=5),
    "transformations.scripts": False,
    "transformations.script_processes": 2,
    "transformations.script_timeout": timedelta(seconds=1),
    "transformations.script_memory": 32_000_000,
    "delivery.endpoint_max_timeout": timedelta(seconds=30),
    "delivery.endpoint_max_retries": 20,
    "delivery.endpoint_max_retry_time": timedelta(days=7),
    "delivery.jitter": 0.2,
    "delivery.failure_window": timedelta(days=5),
    "delivery.disable_on_gone": True,
    "delivery.max_in_flight": 512,
    "delivery.max_in_flight_per_endpoint": 64,
    "delivery.response_limit": 20_000,
    "delivery.shutdown_grace": timedelta(seconds=10),
    "delivery.recover_max_age": timedelta(days=14),
    "delivery.allow_subnets": (),
    "delivery.https_only": False,
    "delivery.signature_headers": ("webhook", "svix"),
    "delivery.proxy": None,
    "delivery.ca_file": None,
    "portal.link_ttl": timedelta(hours=1),
    "portal.session_ttl": timedelta(days=7),
    "portal.frame_ancestors": (),
    "portal.name": None,
    "portal.logo": None,
    "portal.favicon": None,
    "portal.image_origins": (),
    "portal.primary_color": None,
    "portal.primary_color_dark": None,
    "portal.font": None,
    "portal.font_url": None,
    "portal.theme": "auto",
    "portal.home_url": None,
    "portal.docs_url": None,
    "play.ttl": timedelta(days=3),
    "play.max_requests": 200,
    "play.max_body": 256_000,
    "play.max_inboxes": 1000,
    "operational.organization": "org_00000000000SvixManagement00",
    "alerts.organization": "org_000000000000WebhookAlerts00",
    "alerts.backlog_after": timedelta(minutes=15),
    "alerts.digest": timedelta(minutes=1),
    "alerts.smtp_host": None,
    "alerts.smtp_port": 587,
    "alerts.smtp_security": "starttls",
    "alerts.smtp_username": None,
    "alerts.smtp_password": None,
    "alerts.sender": "Webhooks <webhooks@localhost>",
    "alerts.template": None,
    "retention.payload": timedelta(days=90),
    "retention.attempts": timedelta(days=90),
    "retention.audit": timedelta(days=365),
    "retention.audit_addresses": True,
    "tracing.enabled": False,
    "tracing.send_traceparent": False,
    "log.level": "info",
    "log.format": None,
}


def value_of(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


class TestDefaults:
    def test_every_key_has_its_default(self) -> None:
        config = Config()
        assert {setting.key: value_of(config, setting.key) for setting in config.effective()} == DEFAULTS

    def test_loading_nothing_gives_the_defaults(self) -> None:
        assert Config.load(environ={}) == Config()

    def test_the_sections_are_those_of_the_table(self) -> None:
        hints = get_type_hints(Config)
        assert {name: hints[name] for name in SECTIONS} == SECTIONS
        assert set(hints) == {*SECTIONS, "_sources"}

    def test_a_configuration_cannot_be_changed(self) -> None:
        config = Config()
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.delivery.jitter = 1.0  # type: ignore[misc]
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.delivery = DeliveryConfig()  # type: ignore[misc]

    def test_it_is_a_value(self) -> None:
        one, other = (Config(delivery={"timeout": "1s"}) for _ in range(2))
        assert one == other != Config()
        assert hash(one) == hash(other)
        assert pickle.loads(pickle.dumps(one)) == one


class TestFromCode:
    def test_values_are_as_in_toml(self) -> None:
        config = Config(
            server={"max_body": "2MiB", "trusted_proxies": ["10.0.0.0/8"]},
            delivery={"retry_schedule": ["10ms", "1.5s"], "jitter": 0, "allow_subnets": ["127.0.0.1", "fd00::/8"]},
        )
        assert config.server.max_body == 2 * 2**20
        assert config.server.trusted_proxies == (ip_network("10.0.0.0/8"),)
        assert config.delivery.retry_schedule == (timedelta(milliseconds=10), timedelta(milliseconds=1500))
        assert config.delivery.jitter == 0.0
        assert config.delivery.allow_subnets == (ip_network("127.0.0.1/32"), ip_network("fd00::/8"))

    def test_values_may_be_typed_already(self) -> None:
        config = Config(
            store={"url": Path("/var/x.db")},
            auth={"jwt_secret": Secret("s")},
            delivery={
                "timeout": timedelta(seconds=1),
                "response_limit": 100,
                "allow_subnets": (ip_network("10.0.0.0/8"), IPv4Address("127.0.0.1")),
            },
        )
        assert config.store.url == "sqlite:////var/x.db"
        assert config.auth.jwt_secret == Secret("s")
        assert config.delivery.timeout == timedelta(seconds=1)
        assert config.delivery.response_limit == 100
        assert config.delivery.allow_subnets == (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"))

    def test_a_section_may_be_given_as_an_object(self) -> None:
        section = DeliveryConfig(timeout=timedelta(seconds=1))
        assert Config(delivery=section).delivery is section

    def test_a_section_checks_itself(self) -> None:
        assert "delivery.timeout" in refusal(lambda: DeliveryConfig(timeout=timedelta(0)))

    def test_a_section_in_the_place_of_another_is_refused(self) -> None:
        assert "[delivery]" in refusal(lambda: Config(delivery=PlayConfig()))

    def test_a_changed_copy_is_checked(self) -> None:
        config = Config(store={"url": "sqlite:///x.db"})
        copy = dataclasses.replace(config, delivery=DeliveryConfig(timeout=timedelta(seconds=2)))
        assert copy.store == config.store
        assert copy.delivery.timeout == timedelta(seconds=2)
        assert "too small" in refusal(lambda: dataclasses.replace(config.delivery, timeout=timedelta(0)))

    def test_the_environment_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WEBHOOK_ENGINE_DELIVERY__TIMEOUT", "1s")
        assert Config() == Config.for_database("webhook-engine.db")
        assert Config.load().delivery.timeout == timedelta(seconds=1)


class TestForDatabase:
    @pytest.mark.parametrize("database", ["x.db", Path("x.db"), "sqlite:///x.db"])
    def test_a_path_or_url_names_the_file(self, database: str | Path) -> None:
        config = Config.for_database(database)
        assert config.store.url == "sqlite:///x.db"
        assert config.store.path == Path("x.db")

    @pytest.mark.parametrize("database", ["/var/x.db", Path("/var/x.db"), "sqlite:////var/x.db"])
    def test_absolute_paths_have_four_slashes(self, database: str | Path) -> None:
        config = Config.for_database(database)
        assert config.store.url == "sqlite:////var/x.db"
        assert config.store.path == Path("/var/x.db")

    @pytest.mark.parametrize(
        ("database", "problem"),
        [
            (":memory:", "survive a crash"),
            ("sqlite:///:memory:", "survive a crash"),
            ("sqlite:///", "survive a crash"),
            ("", "survive a crash"),
            ("sqlite://x.db", "three slashes"),
            ("sqlite:x.db", "an SQLite file or on a PostgreSQL server"),
            ("file:x.db", "an SQLite file or on a PostgreSQL server"),
            ("mysql://localhost/x", "an SQLite file or on a PostgreSQL server"),
            ("postgresql://localhost", "names no database"),
            ("x.db?mode=ro", "options"),
            ("data/", "directory"),
        ],
    )
    def test_what_is_no_database_is_refused(self, database: str, problem: str) -> None:
        text = refusal(lambda: Config.for_database(database))
        assert problem in text
        assert "sqlite:///relative/path.db" in text

    def test_a_database_may_be_on_a_server(self) -> None:
        config = Config.for_database("postgresql://user:geheim@host/x?sslpassword=p", store__schema="webhooks")
        assert config.store.path is None
        assert config.store.schema == "webhooks"
        assert config.store.files == Path("webhook-engine.db")
        assert "geheim" not in config.store.shown
        assert "geheim" not in "".join(setting.value for setting in config.effective())

    def test_a_password_is_in_no_error(self) -> None:
        assert "geheim" not in refusal(lambda: Config.for_database("postgresql://user:geheim@host"))

    def test_bare_keys_are_those_of_delivery(self) -> None:
        config = Config.for_database(
            "x.db",
            retry_schedule=["10ms"],
            allow_subnets=["127.0.0.1/32"],
            server__listen="127.0.0.1:0",
            log__level="debug",
        )
        assert config.delivery.retry_schedule == (timedelta(milliseconds=10),)
        assert config.delivery.allow_subnets == (ip_network("127.0.0.1/32"),)
        assert config.server.listen == "127.0.0.1:0"
        assert config.log.level == "debug"

    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("retry_shedule", "retry_schedule"),
            ("server__lisen", "server__listen"),
            ("listen", "server__listen"),
            ("delivery__timeout", "timeout"),
        ],
    )
    def test_an_unknown_key_is_answered_with_the_nearest(self, name: str, nearest: str) -> None:
        text = refusal(lambda: Config.for_database("x.db", **{name: 1}))
        assert text == f"{name}: there is no such key; the nearest is {nearest}"

    def test_all_problems_are_told(self) -> None:
        text = refusal(lambda: Config.for_database(":memory:", timeot="1s", jitter=2))
        assert [line.split(":")[0] for line in text.splitlines()] == ['the database "', "timeot", "delivery.jitter = 2"]


class TestFile:
    def test_it_is_read(self, toml: Callable[[str], Path]) -> None:
        path = toml('[delivery]\ntimeout = "1s"\n[play]\nmax_requests = 5\n')
        config = Config.load(path, {})
        assert config == Config.load(str(path), {})
        assert (config.delivery.timeout, config.play.max_requests) == (timedelta(seconds=1), 5)

    def test_the_environment_may_name_it(self, toml: Callable[[str], Path]) -> None:
        path = toml("[play]\nmax_requests = 5\n")
        assert Config.load(environ={"WEBHOOK_ENGINE_CONFIG": str(path)}).play.max_requests == 5

    def test_the_argument_wins_over_the_environment(self, toml: Callable[[str], Path]) -> None:
        path = toml("[play]\nmax_requests = 5\n")
        assert Config.load(path, {"WEBHOOK_ENGINE_CONFIG": "/nowhere.toml"}).play.max_requests == 5

    def test_a_file_that_does_not_exist_is_an_error(self) -> None:
        for load in (
            lambda: Config.load("/nowhere.toml", {}),
            lambda: Config.load(environ={"WEBHOOK_ENGINE_CONFIG": "/nowhere.toml"}),
        ):
            text = refusal(load)
            assert "/nowhere.toml" in text
            assert "No such file" in text
            assert "WEBHOOK_ENGINE_CONFIG" in text

    def test_a_directory_is_an_error(self, tmp_path: Path) -> None:
        assert str(tmp_path) in refusal(lambda: Config.load(tmp_path, {}))

    @pytest.mark.parametrize(
        ("text", "line"),
        [("[delivery]\ntimeout = 15s\n", "line 2"), ('[log]\n\nlevel = "in\n', "line 3"), ("[log]\nlevel =", "line 2")],
    )
    def test_a_syntax_error_names_file_and_line(self, toml: Callable[[str], Path], text: str, line: str) -> None:
        path = toml(text)
        message = refusal(lambda: Config.load(path, {}))
        assert str(path) in message
        assert line in message

    def test_other_encodings_are_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.toml"
        path.write_bytes("# Grüße".encode("latin-1"))
        assert "UTF-8" in refusal(lambda: Config.load(path, {}))

    def test_a_mistake_in_it_is_told_with_its_name(self, toml: Callable[[str], Path]) -> None:
        path = toml("[delivery]\njitter = 2\ntimeot = 1\n[delivry]\nproxy = 1\n")
        lines = refusal(lambda: Config.load(path, {})).splitlines()
        assert lines == [
            f"delivry.proxy ({path}): there is no such key; the nearest is delivery.proxy",
            f"delivery.jitter = 2 ({path}): this is too large; allowed is a number from 0 to 1",
            f"delivery.timeot ({path}): there is no such key; the nearest is delivery.timeout",
        ]

    def test_a_key_outside_of_any_section_is_unknown(self, toml: Callable[[str], Path]) -> None:
        path = toml('listen = "127.0.0.1:1"\n')
        assert "nearest is server.listen" in refusal(lambda: Config.load(path, {}))

    def test_a_section_must_be_a_table(self, toml: Callable[[str], Path]) -> None:
        path = toml('security = "hunter2"\n')
        text = refusal(lambda: Config.load(path, {"WEBHOOK_ENGINE_SECURITY__DEFAULT_SIGNATURE": "ed25519"}))
        assert "[security]" in text
        assert "hunter2" not in text


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "text", "key", "expected"),
        [
            ("DELIVERY__RETRY_SCHEDULE", '["1ms", "1ms"]', "delivery.retry_schedule", (timedelta(milliseconds=1),) * 2),
            ("DELIVERY__RETRY_SCHEDULE", "[]", "delivery.retry_schedule", ()),
            ("DELIVERY__TIMEOUT", "5s", "delivery.timeout", timedelta(seconds=5)),
            ("DELIVERY__TIMEOUT", '"5s"', "delivery.timeout", timedelta(seconds=5)),
            ("DELIVERY__JITTER", "0.5", "delivery.jitter", 0.5),
            ("DELIVERY__HTTPS_ONLY", "true", "delivery.https_only", True),
            ("DELIVERY__MAX_IN_FLIGHT", "7", "delivery.max_in_flight", 7),
            ("SERVER__MAX_BODY", "2MiB", "server.max_body", 2**21),
            ("SERVER__MAX_BODY", "1000", "server.max_body", 1000),
            ("SERVER__LISTEN", "[::1]:8071", "server.listen", "[::1]:8071"),
            ("SERVER__LISTEN", '"[::1]:8071"', "server.listen", "[::1]:8071"),
            ("STORE__URL", "'sqlite:///x.db'", "store.url", "sqlite:///x.db"),
            ("LOG__FORMAT", "json", "log.format", "json"),
            ("AUTH__JWT_SECRET", "12345", "auth.jwt_secret", Secret("12345")),
            ("AUTH__JWT_SECRET", "true", "auth.jwt_secret", Secret("true")),
            ("AUTH__JWT_SECRET", '"a\\tb"', "auth.jwt_secret", Secret("a\tb")),
            ("AUTH__JWT_SECRET", 'it"s', "auth.jwt_secret", Secret('it"s')),
            ("AUTH__JWT_SECRET", '"a" and "b"', "auth.jwt_secret", Secret('"a" and "b"')),
        ],
    )
    def test_it_overrides(self, name: str, text: str, key: str, expected: object) -> None:
        assert value_of(Config.load(environ={f"WEBHOOK_ENGINE_{name}": text}), key) == expected

    def test_it_wins_over_the_file(self, toml: Callable[[str], Path]) -> None:
        path = toml('[delivery]\ntimeout = "1s"\njitter = 0.1\nproxy = "http://proxy:3128"\n')
        environ = {"WEBHOOK_ENGINE_DELIVERY__TIMEOUT": "2s", "WEBHOOK_ENGINE_DELIVERY__PROXY": ""}
        delivery = Config.load(path, environ).delivery
        assert (delivery.timeout, delivery.jitter, delivery.proxy) == (timedelta(seconds=2), 0.1, None)

    @pytest.mark.parametrize(
        "name",
        [
            "WEBHOOK_ENGINE_URL",
            "WEBHOOK_ENGINE_TOKEN",
            "WEBHOOK_ENGINE_PORT_8071_TCP",
            "WEBHOOK_ENGINE__X",
            "OTHER__KEY",
            "XWEBHOOK_ENGINE_LOG__LEVEL",
        ],
    )
    def test_other_names_are_not_configuration(self, name: str) -> None:
        assert Config.load(environ={name: "anything"}) == Config()

    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("WEBHOOK_ENGINE_DELIVERY__TIMOUT", "WEBHOOK_ENGINE_DELIVERY__TIMEOUT"),
            ("WEBHOOK_ENGINE_DELIVRY__TIMEOUT", "WEBHOOK_ENGINE_DELIVERY__TIMEOUT"),
            ("WEBHOOK_ENGINE_delivery__timeout", "WEBHOOK_ENGINE_DELIVERY__TIMEOUT"),
            ("WEBHOOK_ENGINE_DELIVERY__LISTEN", "WEBHOOK_ENGINE_SERVER__LISTEN"),
        ],
    )
    def test_an_unknown_name_is_answered_with_the_nearest(self, name: str, nearest: str) -> None:
        text = refusal(lambda: Config.load(environ={name: "1"}))
        assert text == f"{name}: there is no such key; the nearest is {nearest}"

    def test_a_mistake_is_told_with_the_name(self) -> None:
        text = refusal(lambda: Config.load(environ={"WEBHOOK_ENGINE_DELIVERY__TIMEOUT": "15"}))
        assert text.startswith(
            "delivery.timeout = 15 (environment WEBHOOK_ENGINE_DELIVERY__TIMEOUT): a duration needs a unit; allowed is"
        )

    def test_it_cannot_smuggle_in_other_keys(self) -> None:
        environ = {"WEBHOOK_ENGINE_DELIVERY__MAX_IN_FLIGHT": "1\nother = 2"}
        assert "this is a string" in refusal(lambda: Config.load(environ=environ))

    def test_bytes_that_are_no_text_are_refused_and_not_shown(self) -> None:
        text = refusal(lambda: Config.load(environ={"WEBHOOK_ENGINE_AUTH__JWT_SECRET": "abc\udcff"}))
        assert "UTF-8" in text
        assert "abc" not in text


class TestImpossibleValues:
    @pytest.mark.parametrize(
        ("key", "value", "problem"),
        [
            ("server.listen", "8071", "not an address"),
            ("server.listen", ":8071", "not an address"),
            ("server.listen", "localhost", "not an address"),
            ("server.listen", "::1:8071", "not an address"),
            ("server.listen", "[::g]:8071", "not an address"),
            ("server.listen", "[1::2::3]:8071", "'::'"),
            ("server.listen", "999.0.0.1:8071", "Octet"),
            ("server.listen", "127.0.0.1:65536", "at most 65535"),
            ("server.listen", "http://127.0.0.1:8071", "not an address"),
            ("server.listen", "unix:", "not absolute"),
            ("server.listen", "unix:run/x.sock", "not absolute"),
            ("server.listen", "unix:/run/", "not absolute"),
            ("server.listen", 8071, "an integer"),
            ("server.public_url", "example.com", "not a URL"),
            ("server.public_url", "ftp://example.com", "not a URL"),
            ("server.public_url", "https://", "not a URL"),
            ("server.public_url", "https://exa mple.com", "not a URL"),
            ("server.public_url", 'https://example.com/"><script>', "not a URL"),
            ("server.public_url", "https://example.com:99999", "not a URL"),
            ("server.public_url", "https://example.com:0", "port 0"),
            ("server.public_url", "https://[::1", "not a URL"),
            ("server.public_url", "https://user@example.com", "more than"),
            ("server.public_url", "https://example.com/?a=1", "more than"),
            ("server.public_url", "https://example.com/#a", "more than"),
            ("server.trusted_proxies", ["10.0.0.1/8"], "host bits"),
            ("server.trusted_proxies", ["proxy.example.com"], "does not appear to be"),
            ("server.trusted_proxies", "10.0.0.0/8", "a string"),
            ("server.max_body", 0, "too small"),
            ("server.max_body", -1, "too small"),
            ("server.max_body", "2GiB", "too large"),
            ("server.max_body", True, "a boolean"),
            ("server.max_body", 1.5, "a float"),
            ("server.api", "yes", "a string"),
            ("server.api", 1, "an integer"),
            ("store.url", "webhooks.db", 'write "sqlite:///webhooks.db"'),
            ("store.url", "sqlite:///:memory:", "survive a crash"),
            ("store.url", "mysql://localhost/x", "an SQLite file or on a PostgreSQL server"),
            ("store.url", "postgresql://localhost", "names no database"),
            ("store.url", "postgresql://localhost:x/y", "not a URL of that form"),
            ("store.schema", "webhooks", "an SQLite file has no schemas"),
            ("store.schema", 'a"b', "letters, digits"),
            ("outbox.sources", ["app.db"], 'write "sqlite:///app.db"'),
            ("outbox.sources", ["sqlite:///a.db", "sqlite:///a.db"], "repeated"),
            ("auth.jwt_algorithm", "none", "not one of the choices"),
            ("auth.jwt_algorithm", "hs256", "not one of the choices"),
            ("auth.jwt_algorithm", "RS256", "needs auth.jwt_public_key"),
            ("auth.jwt_public_key", PUBLIC_KEY, "does not go with auth.jwt_public_key"),
            ("auth.jwt_public_key", "/etc/key.pem", "not a public key"),
            ("auth.jwt_secret", "", "empty"),
            ("security.main_secret", "", "empty"),
            ("security.main_secret", 5, "an integer"),
            ("security.default_signature", "rsa", "not one of the choices"),
            ("delivery.timeout", "0s", "too small"),
            ("delivery.timeout", "-1s", "not a duration"),
            ("delivery.timeout", timedelta(seconds=-1), "too small"),
            ("delivery.timeout", "301s", "too large"),
            ("delivery.timeout", 15, "needs a unit"),
            ("delivery.timeout", True, "a boolean"),
            ("delivery.timeout", None, "a NoneType"),
            ("delivery.retry_schedule", "5s", "a string"),
            ("delivery.retry_schedule", ["5s", 5], "item 2, 5: a duration needs a unit"),
            ("delivery.retry_schedule", ["5s"] * 101, "101 items"),
            ("delivery.retry_schedule", ["31d"], "too large"),
            ("delivery.jitter", -0.1, "too small"),
            ("delivery.jitter", 1.1, "too large"),
            ("delivery.jitter", float("nan"), "not a number"),
            ("delivery.jitter", float("inf"), "too large"),
            ("delivery.jitter", "0.2", "a string"),
            ("delivery.jitter", False, "a boolean"),
            ("delivery.failure_window", "0s", "too small"),
            ("delivery.max_in_flight", 0, "too small"),
            ("delivery.max_in_flight", 1.0, "a float"),
            ("delivery.max_in_flight", True, "a boolean"),
            ("delivery.max_in_flight_per_endpoint", 0, "too small"),
            ("delivery.response_limit", "1GB", "too large"),
            ("delivery.shutdown_grace", "2h", "too large"),
            ("delivery.recover_max_age", "0s", "too small"),
            ("delivery.allow_subnets", ["127.0.0.1/33"], "127.0.0.1/33"),
            ("delivery.allow_subnets", ["10.0.0.0/8", "10.0.0.0/8"], "repeated"),
            ("delivery.allow_subnets", [10], "an integer"),
            ("delivery.signature_headers", [], "0 items"),
            ("delivery.signature_headers", ["x"], "not one of the choices"),
            ("delivery.signature_headers", ["svix", "svix"], "repeated"),
            ("delivery.proxy", "proxy:3128", "not a URL"),
            ("delivery.proxy", "socks5://proxy:1080", "not a URL"),
            ("delivery.proxy", "http://proxy:3128/path", "no path"),
            ("delivery.ca_file", "/nowhere/ca.pem", "No such file"),
            ("delivery.ca_file", __file__, "no certificate in PEM form"),
            ("portal.link_ttl", "0s", "too small"),
            ("portal.session_ttl", "1000d", "too large"),
            ("portal.frame_ancestors", ["app.example.com"], "right form"),
            ("portal.frame_ancestors", ["https://app.example.com/"], "right form"),
            ("portal.frame_ancestors", ["https://a.example.com; script-src *"], "right form"),
            ("play.ttl", "0s", "too small"),
            ("play.max_requests", 0, "too small"),
            ("play.max_body", "1GB", "too large"),
            ("play.max_inboxes", -1, "too small"),
            ("operational.organization", "acme", "right form"),
            ("alerts.organization", "acme", "right form"),
            ("alerts.backlog_after", "0s", "too small"),
            ("alerts.digest", "1h", "too large"),
            ("alerts.smtp_host", "mail server", "right form"),
            ("alerts.smtp_port", 0, "too small"),
            ("alerts.smtp_security", "ssl", "not one of the choices"),
            ("alerts.smtp_username", "a b", "right form"),
            ("alerts.smtp_password", "", "empty"),
            ("alerts.sender", "nobody", "right form"),
            ("alerts.template", "${txt}", "{txt}"),
            ("retention.payload", "0s", "too small"),
            ("retention.attempts", {}, "a table"),
            ("log.level", "verbose", "not one of the choices"),
            ("log.format", "xml", "not one of the choices"),
        ],
    )
    def test_it_is_told_with_key_and_reason(self, key: str, value: object, problem: str) -> None:
        section, name = key.split(".")
        text = refusal(lambda: Config(**{section: {name: value}}))
        assert key in text or key.startswith("auth.jwt")
        assert problem in text
        assert "allowed is" in text or key.startswith("auth.jwt")

    def test_what_is_allowed_is_told(self) -> None:
        text = refusal(lambda: Config(log={"level": "verbose"}))
        assert text == (
            'log.level = "verbose": this is not one of the choices; '
            'allowed is one of "debug", "info", "warning", "error", "critical"'
        )

    def test_a_long_value_is_cut(self) -> None:
        assert len(refusal(lambda: Config(log={"level": "x" * 10_000}))) < 300

    def test_several_problems_are_told_at_once(self) -> None:
        text = refusal(lambda: Config(delivery={"timeout": "0s", "jitter": 2}, log={"level": "x"}, serve={}))
        assert [line.split(" ")[0] for line in text.splitlines()] == [
            "serve:",
            "delivery.timeout",
            "delivery.jitter",
            "log.level",
        ]

    def test_a_bad_public_key_is_the_only_problem_told(self) -> None:
        text = refusal(lambda: Config(auth={"jwt_algorithm": "RS256", "jwt_public_key": "nonsense"}))
        assert len(text.splitlines()) == 1

    @pytest.mark.parametrize(
        ("section", "nearest"), [("delivry", "delivery"), ("timeout", "delivery.timeout"), ("logs", "log")]
    )
    def test_an_unknown_section_is_answered_with_the_nearest(self, section: str, nearest: str) -> None:
        assert refusal(lambda: Config(**{section: {}})).endswith(f"the nearest is {nearest}")


class TestPossibleValues:
    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("server.listen", "localhost:0", "localhost:0"),
            ("server.listen", "[::]:80", "[::]:80"),
            ("server.listen", "unix:/run/x.sock", "unix:/run/x.sock"),
            ("server.public_url", "https://example.com/hooks/", "https://example.com/hooks"),
            ("server.public_url", "http://[::1]:8071", "http://[::1]:8071"),
            ("server.public_url", "", None),
            ("delivery.retry_schedule", [], ()),
            ("delivery.retry_schedule", ["0s"], (timedelta(0),)),
            ("delivery.timeout", "5m", timedelta(minutes=5)),
            ("delivery.shutdown_grace", "0s", timedelta(0)),
            ("delivery.response_limit", 0, 0),
            ("delivery.max_in_flight", 1, 1),
            ("delivery.jitter", 1, 1.0),
            ("delivery.signature_headers", ["svix"], ("svix",)),
            ("delivery.proxy", "http://u:p@proxy:3128/", "http://u:p@proxy:3128"),
            (
                "portal.frame_ancestors",
                ["https://*.example.com", "http://localhost:3000", "http://[::1]:3000"],
                ("https://*.example.com", "http://localhost:3000", "http://[::1]:3000"),
            ),
            ("log.format", "console", "console"),
        ],
    )
    def test_they_are_taken(self, key: str, value: object, expected: object) -> None:
        section, name = key.split(".")
        assert value_of(Config(**{section: {name: value}}), key) == expected

    def test_an_asymmetric_algorithm_goes_with_a_public_key(self) -> None:
        auth = Config(auth={"jwt_algorithm": "EdDSA", "jwt_public_key": PUBLIC_KEY + "\n"}).auth
        assert (auth.jwt_algorithm, auth.jwt_public_key) == ("EdDSA", PUBLIC_KEY)


class TestSecrets:
    SECRETS: ClassVar[dict[str, dict[str, object]]] = {
        "auth": {"jwt_secret": "hunter2"},
        "security": {"main_secret": "hunter2"},
        "delivery": {"proxy": "http://user:hunter2@proxy:3128"},
    }

    def test_they_are_available(self) -> None:
        config = Config(**self.SECRETS)
        assert config.auth.jwt_secret is not None
        assert config.auth.jwt_secret.reveal() == "hunter2"
        assert config.delivery.proxy == "http://user:hunter2@proxy:3128"

    def test_they_are_never_shown(self) -> None:
        config = Config(**self.SECRETS)
        assert "hunter2" not in repr(config) + str(config) + repr(list(config.effective()))

    def test_the_proxy_is_shown_without_its_password(self) -> None:
        shown = {setting.key: setting.value for setting in Config(**self.SECRETS).effective()}
        assert shown["delivery.proxy"] == '"http://********@proxy:3128"'

    @pytest.mark.parametrize(
        ("section", "key", "value"),
        [
            ("auth", "jwt_secret", ["hunter2"]),
            ("auth", "jwt_public_key", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"),
            ("security", "main_secret", {"value": "hunter2"}),
            ("delivery", "proxy", "socks5://user:hunter2@proxy"),
            ("delivery", "proxy", "http://user:hunter2@proxy:port"),
            ("delivery", "proxy", "http://user:hunter2"),
        ],
    )
    def test_errors_do_not_quote_them(self, section: str, key: str, value: object) -> None:
        text = refusal(lambda: Config(**{section: {key: value}}))
        assert f"{section}.{key}" in text
        assert "hunter2" not in text


class TestEffective:
    def test_it_says_where_each_value_came_from(self, toml: Callable[[str], Path]) -> None:
        path = toml('[delivery]\ntimeout = "1s"\njitter = 0.5\n')
        config = Config.load(path, {"WEBHOOK_ENGINE_DELIVERY__JITTER": "0.1"})
        sources = {setting.key: (setting.value, setting.source) for setting in config.effective()}
        assert sources["delivery.timeout"] == ('"1s"', str(path))
        assert sources["delivery.jitter"] == ("0.1", "environment WEBHOOK_ENGINE_DELIVERY__JITTER")
        assert sources["delivery.proxy"] == ("(none)", "default")

    def test_code_is_a_source_too(self) -> None:
        for config in (
            Config.for_database("x.db", timeout="1s"),
            Config(store={"url": "sqlite:///x.db"}, delivery=DeliveryConfig(timeout=timedelta(seconds=1))),
        ):
            changed = {setting.key for setting in config.effective() if setting.source == "code"}
            assert changed == {"store.url", "delivery.timeout"}

    def test_values_are_toml(self) -> None:
        config = Config(
            delivery={"allow_subnets": ["10.0.0.0/8"], "retry_schedule": ["1.5s"], "response_limit": 1024},
            auth={"jwt_secret": "x"},
            portal={"frame_ancestors": ["https://a.example"]},
        )
        shown = {setting.key: setting.value for setting in config.effective()}
        assert shown["delivery.allow_subnets"] == '["10.0.0.0/8"]'
        assert shown["delivery.retry_schedule"] == '["1500ms"]'
        assert shown["delivery.response_limit"] == '"1KiB"'
        assert shown["delivery.https_only"] == "false"
        assert shown["auth.jwt_secret"] == '"********"'
        assert shown["portal.frame_ancestors"] == '["https://a.example"]'


class TestServerAddress:
    @pytest.mark.parametrize(
        ("listen", "address", "url"),
        [
            ("127.0.0.1:8071", ("127.0.0.1", 8071), "http://127.0.0.1:8071"),
            ("localhost:80", ("localhost", 80), "http://localhost:80"),
            ("[::1]:8071", ("::1", 8071), "http://[::1]:8071"),
            ("0.0.0.0:8071", ("0.0.0.0", 8071), "http://127.0.0.1:8071"),
            ("[::]:8071", ("::", 8071), "http://[::1]:8071"),
            ("unix:/run/x.sock", Path("/run/x.sock"), None),
        ],
    )
    def test_the_url_follows_from_listen(self, listen: str, address: object, url: str | None) -> None:
        server = ServerConfig(listen=listen)
        assert server.listen_address == address
        assert server.url() == url

    @pytest.mark.parametrize("listen", ["127.0.0.1:8071", "unix:/run/x.sock"])
    def test_a_public_url_wins(self, listen: str) -> None:
        server = ServerConfig(listen=listen, public_url="https://example.com/hooks/")
        assert server.url() == server.url(port=9) == "https://example.com/hooks"

    def test_the_port_may_be_known_only_later(self) -> None:
        assert ServerConfig(listen="127.0.0.1:0").url(port=4321) == "http://127.0.0.1:4321"


def test_outbox_sources_are_files_and_servers() -> None:
    servers = ["postgresql://shop:pa55word@db.example.com/shop", "mysql://shop:pa55word@db.example.com/shop"]
    config = Config(outbox={"sources": ["sqlite:///app.db", Path("/var/other.db"), *servers]})
    assert config.outbox.sources == ("sqlite:///app.db", "sqlite:////var/other.db", *servers)
    [shown] = [setting.value for setting in config.effective() if setting.key == "outbox.sources"]
    assert "pa55word" not in shown + repr(config)
    with pytest.raises(ConfigError) as caught:
        Config(outbox={"sources": ["postgresql://shop:pa55word@db.example.com"]})
    assert "names no database" in str(caught.value)
    assert "pa55word" not in str(caught.value)


def test_each_section_knows_its_name() -> None:
    assert all(issubclass(section, Section) and name == section.NAME for name, section in SECTIONS.items())
