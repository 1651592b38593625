"""Links in e-mails that need no sign-in: their content is encrypted, so that they cannot be forged."""

from __future__ import annotations

import base64
import binascii

from webhook_engine.delivery.mail.letters import LetterLinks
from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.secrets.encryption import Cipher

__all__ = ["CONFIRM_LINK", "UNSUBSCRIBE_LINK", "endpoint_of_link", "letter_links", "link_key"]

CONFIRM_LINK = "alerts/confirm"
UNSUBSCRIBE_LINK = "alerts/unsubscribe"


def link_key(cipher: Cipher, purpose: str, application_id: str, endpoint_id: str) -> str:
    """The key in a link of this purpose about an alert."""
    encrypted = cipher.encrypt(f"{application_id} {endpoint_id}".encode(), purpose)
    return base64.urlsafe_b64encode(encrypted).rstrip(b"=").decode()


def endpoint_of_link(cipher: Cipher, purpose: str, key: str) -> tuple[str, str] | None:
    """The application and the endpoint of a key; ``None`` if the key is invalid for this purpose."""
    try:
        encrypted = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        application_id, _, endpoint_id = cipher.decrypt(encrypted, purpose).decode().partition(" ")
    except (binascii.Error, ValueError, SecretsUnreadableError):
        return None
    return application_id, endpoint_id


def letter_links(cipher: Cipher, base_url: str | None, application_id: str, endpoint_id: str) -> LetterLinks:
    """The links in an e-mail about an alert; none if no server runs."""
    if base_url is None:
        return LetterLinks()

    def link(purpose: str) -> str:
        return f"{base_url}/{purpose}/{link_key(cipher, purpose, application_id, endpoint_id)}"

    return LetterLinks(unsubscribe=link(UNSUBSCRIBE_LINK), confirm=link(CONFIRM_LINK))
