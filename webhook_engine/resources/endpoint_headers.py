"""The endpoint's own headers, sent besides those of every webhook."""

from __future__ import annotations

from collections.abc import Mapping

from webhook_engine.model import EndpointHeaders
from webhook_engine.resources.endpoint_editor import EndpointEditor
from webhook_engine.rules import headers as header_rules
from webhook_engine.store.endpoint_encryption import decrypt_headers, encrypt_headers
from webhook_engine.store.records import EndpointChanges

__all__ = ["OwnHeaders"]


class OwnHeaders:
    """The own headers of endpoints, stored encrypted."""

    def __init__(self, editor: EndpointEditor) -> None:
        self._editor = editor
        self._services = editor.services

    async def get(self, application: str, endpoint: str) -> EndpointHeaders:
        """The headers, without secret values."""
        _, stored = await self._editor.find(application, endpoint)
        return _shown(decrypt_headers(self._services.cipher, stored.endpoint.id, stored.encrypted_headers))

    async def set(self, application: str, endpoint: str, headers: Mapping[str, str]) -> None:
        """Replace all of them."""
        found = await self._editor.application(application)
        checked = header_rules.checked("headers", headers)
        async with self._editor.edit(found, endpoint) as edit:
            encrypted = encrypt_headers(self._services.cipher, edit.before.endpoint.id, checked)
            await edit.change(EndpointChanges(encrypted_headers=encrypted))

    async def patch(self, application: str, endpoint: str, changes: Mapping[str, str | None]) -> None:
        """Set some of them, and remove those with the value ``None``."""
        found = await self._editor.application(application)
        header_rules.changed("headers", {}, changes)
        async with self._editor.edit(found, endpoint) as edit:
            endpoint_id, cipher = edit.before.endpoint.id, self._services.cipher
            before = decrypt_headers(cipher, endpoint_id, edit.before.encrypted_headers)
            encrypted = encrypt_headers(cipher, endpoint_id, header_rules.changed("headers", before, changes))
            await edit.change(EndpointChanges(encrypted_headers=encrypted))


def _shown(headers: Mapping[str, str]) -> EndpointHeaders:
    """The headers as shown: only the names of sensitive ones."""
    return EndpointHeaders(
        headers={name: value for name, value in headers.items() if not header_rules.is_sensitive(name)},
        sensitive=tuple(name for name in headers if header_rules.is_sensitive(name)),
    )
