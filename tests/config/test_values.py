from datetime import timedelta

import pytest

from webhook_engine.config.values import (
    Secret,
    database_path,
    database_url,
    duration,
    size,
)


def test_bounds_belong_to_what_is_allowed() -> None:
    kind = duration("1s", "1m")
    assert [kind.read(text) for text in ("1s", "1m")] == [timedelta(seconds=1), timedelta(minutes=1)]
    for outside in ("999ms", "61s", timedelta(0), timedelta(days=1)):
        with pytest.raises(ValueError, match=r"too (small|large)"):
            kind.read(outside)
    assert size("1B", "1kB").read(1000) == 1000
    with pytest.raises(ValueError, match="too large"):
        size("1B", "1kB").read(1001)


@pytest.mark.parametrize("value", [15, 1.5])
def test_a_bare_number_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="needs a unit"):
        duration("0s", "1d").read(value)


@pytest.mark.parametrize(
    ("value", "problem"), [(True, "a boolean"), (None, "a NoneType"), ([], "a list"), ({}, "a table")]
)
def test_the_wrong_type_is_named(value: object, problem: str) -> None:
    for kind in (duration("0s", "1d"), size("0B", "1GB")):
        with pytest.raises(ValueError, match=problem):
            kind.read(value)


def test_a_duration_object_has_whole_milliseconds_too() -> None:
    with pytest.raises(ValueError, match="whole milliseconds"):
        duration("0s", "1d").read(timedelta(microseconds=1500))


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("tell nobody")
    assert secret.reveal() == "tell nobody"
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r:>30}", "%s" % secret, repr([secret])):  # noqa: UP031
        assert "nobody" not in shown
    assert not hasattr(secret, "__dict__")


def test_secrets_are_compared_by_what_they_hide() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("webhooks.db", "sqlite:///webhooks.db"),
        ("data/my hooks.db", "sqlite:///data/my hooks.db"),
        ("/var/lib/x.db", "sqlite:////var/lib/x.db"),
    ],
)
def test_a_path_and_its_url_mean_the_same_file(path: str, url: str) -> None:
    assert database_url(path) == database_url(url) == url
    assert str(database_path(url)) == path
