"""What engines tell each other of a secret: enough to see that it is another one, and nothing else."""

from __future__ import annotations

from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.secrets.encryption import Cipher


def test_the_same_secret_is_accepted_and_another_is_not() -> None:
    one, same, other = (SharedSecret.of("auth.jwt_secret", secret) for secret in ("a", "a", "b"))
    assert same.fingerprint in one.accepted
    assert other.fingerprint not in one.accepted


def test_the_one_before_is_accepted_by_who_has_the_new_one_and_not_the_other_way_round() -> None:
    old, new = SharedSecret.of("auth.jwt_secret", "old"), SharedSecret.of("auth.jwt_secret", "new", ["old", "older"])
    assert old.fingerprint in new.accepted
    assert new.fingerprint not in old.accepted


def test_a_fingerprint_is_of_one_setting_and_shows_no_key() -> None:
    main, jwt = SharedSecret.of("security.main_secret", "a"), SharedSecret.of("auth.jwt_secret", "a")
    assert main.fingerprint != jwt.fingerprint
    key_id = Cipher("a").encrypt(b"", "")[1:5]
    assert not main.fingerprint.startswith(key_id.hex())
