"""What is shown of the user info in a URL, and what a masked URL means when it is written back."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.user_info import MASK, masked, merged, split


@pytest.mark.parametrize(
    ("url", "shown", "user_info"),
    [
        ("https://example.com/", "https://example.com/", None),
        ("https://example.com/a@b:c@d?x=y@z", "https://example.com/a@b:c@d?x=y@z", None),
        ("https://shop:secret@example.com/x", f"https://shop:{MASK}@example.com/x", "shop:secret"),
        ("https://:secret@example.com:8443/", f"https://:{MASK}@example.com:8443/", ":secret"),
        ("http://sk_live_1@[::1]:80/", f"http://{MASK}@[::1]:80/", "sk_live_1"),
        ("https://a:b:c@example.com/@", f"https://a:{MASK}@example.com/@", "a:b:c"),
    ],
)
def test_the_secret_part_is_masked(url: str, shown: str, user_info: str | None) -> None:
    assert split(url) == (shown, user_info)
    assert masked(url) is False
    assert masked(shown) is (user_info is not None)
    assert merged("url", url, None) == (shown, user_info, False)


@pytest.mark.parametrize(
    ("url", "before"),
    [
        (f"https://shop:{MASK}@example.com/new?x=1", f"https://shop:{MASK}@example.com/old"),
        (f"https://{MASK}@example.com/new", f"https://{MASK}@example.com/old"),
    ],
)
def test_a_mask_that_is_written_back_means_what_is_stored(url: str, before: str) -> None:
    assert merged("url", url, before) == (url, None, True)


@pytest.mark.parametrize(
    "before",
    [
        None,
        "https://example.com/",
        f"http://shop:{MASK}@example.com/",
        f"https://other:{MASK}@example.com/",
        f"https://shop:{MASK}@evil.example/",
        f"https://shop:{MASK}@example.com:8443/",
        f"https://{MASK}@example.com/",
    ],
)
def test_the_stored_password_goes_nowhere_else(before: str | None) -> None:
    with pytest.raises(ValidationError, match="must have the password itself"):
        merged("url", f"https://shop:{MASK}@example.com/", before)
