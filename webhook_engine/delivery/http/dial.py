"""Dialling: look up the name, check the addresses, connect, and start TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

import aiohappyeyeballs

from webhook_engine.delivery.http.connection import Connection, Origin
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.problems import problem
from webhook_engine.delivery.http.proxy import Proxy, Tunnel, open_tunnel
from webhook_engine.delivery.http.resolver import AddressInfo, Resolver
from webhook_engine.delivery.http.response import FailureKind, NoResponseError, OwnTroubleError
from webhook_engine.delivery.http.shortage import own_trouble
from webhook_engine.delivery.http.tls import client_context
from webhook_engine.delivery.troubles import Lack

__all__ = ["Dialler"]

NEXT_ADDRESS_AFTER_S = 0.25
"""Seconds after which the next address is tried in parallel (RFC 8305)."""
HANDSHAKE_S = 600.0
"""Timeout of the TLS handshake, in seconds: longer than any exchange, whose own timeout applies."""


class Dialler:
    """Makes connections, through a proxy or directly, and only to addresses that ``guard`` accepts.

    Without a guard all are accepted, as for the engine's own inbox. The proxy's own address is not checked.
    ``tls`` is the context for origins without an identity of their own; by default it trusts the system's authorities
    and ``ca_file``.
    """

    def __init__(
        self,
        resolver: Resolver,
        tls: ssl.SSLContext | None,
        guard: AddressGuard | None,
        proxy: Proxy | None,
        ca_file: str | None = None,
    ) -> None:
        self._resolver = resolver
        self._tls = tls
        self._ca_file = ca_file
        self._guard = guard
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()

    async def dial(self, connection: Connection, application_id: str) -> None:
        """Connect to the connection's origin. Raises ``NoResponseError``; a connection that fails is closed."""
        origin = connection.origin
        try:
            if self._proxy is None:
                began = self._loop.time()
                found = await self.check(origin, application_id)
                looked_up = self._loop.time()
                connection.lookup_us = int((looked_up - began) * 1e6)
                sock = await self._connect(origin, found)
                connected = self._loop.time()
                connection.connect_us = int((connected - looked_up) * 1e6)
                await self._begin(lambda: connection, sock, origin)
                if origin.tls:
                    connection.tls_us = int((self._loop.time() - connected) * 1e6)
            elif origin.is_proxy:
                connection.awaits_proxy = True
                await self._reach_proxy(lambda: connection, self._proxy)
                connection.awaits_proxy = False
            else:
                await self._tunnel(connection, self._proxy)
        except BaseException:
            connection.close()
            raise

    async def check(self, target: Origin, application_id: str) -> Sequence[AddressInfo]:
        """The allowed addresses of a target. Raises ``NoResponseError`` if there is none.

        A target behind a proxy is refused if any of its addresses is, since the proxy may choose any of them.
        """
        host = target.host.rstrip(".")
        written = _other_form(host)
        if self._guard is not None and written is not None:
            if refusal := self._guard.refusal(written):
                raise NoResponseError(FailureKind.BLOCKED, refusal)
            raise NoResponseError(FailureKind.PROTOCOL, f"the host {host} must be written as {written}")
        found = await self._look_up(target, application_id)
        if self._guard is None:
            return found
        refusals = [self._guard.refusal(address[0]) for *_, address in found]
        accepted = [info for info, refusal in zip(found, refusals, strict=True) if refusal is None]
        refused = next((refusal for refusal in refusals if refusal), None)
        if refused is not None and (not accepted or self._proxy is not None):
            raise NoResponseError(FailureKind.BLOCKED, refused)
        return accepted

    async def _look_up(self, target: Origin, application_id: str) -> Sequence[AddressInfo]:
        try:
            return await self._resolver.look_up(target.host.rstrip("."), target.port, application_id)
        except (OSError, MemoryError) as error:
            if trouble := own_trouble(f"could not resolve {target.host}", error):
                raise trouble from error
            raise NoResponseError(FailureKind.DNS, f"could not resolve {target.host}: {problem(error)}") from error

    async def _connect(self, origin: Origin, found: Sequence[AddressInfo]) -> socket.socket:
        try:
            return await aiohappyeyeballs.start_connection(
                list(found), happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S, loop=self._loop
            )
        except (OSError, RuntimeError, MemoryError) as error:
            if trouble := own_trouble(f"could not connect to {origin}", error, found):
                raise trouble from error
            # The library's text may contain addresses, which must not be disclosed.
            told = problem(error) if getattr(error, "errno", None) else "none of its addresses could be reached"
            raise NoResponseError(FailureKind.CONNECT, f"could not connect to {origin}: {told}") from error

    async def _context(self, origin: Origin) -> ssl.SSLContext:
        """The TLS context for an origin. Raises ``NoResponseError``."""
        if origin.identity is None and self._tls is not None:
            return self._tls
        what = "the endpoint's own certificates cannot be used"
        try:
            if origin.identity is not None:
                return await origin.identity.context(self._ca_file)
            # Loading the authorities takes tens of milliseconds and a mebibyte, so not before TLS is needed.
            what = "the authorities of the system cannot be read"
            self._tls = await asyncio.to_thread(client_context)
            return self._tls
        except (OSError, ValueError, MemoryError) as error:
            raise own_trouble(what, error) or NoResponseError(FailureKind.TLS, f"{what}: {problem(error)}") from error

    async def _begin(self, protocol: Callable[[], asyncio.BaseProtocol], sock: socket.socket, origin: Origin) -> None:
        """Start the protocol on a connected socket, with TLS if the origin uses it."""
        try:
            if origin.tls:
                await self._loop.create_connection(
                    protocol,
                    sock=sock,
                    ssl=await self._context(origin),
                    server_hostname=_server_name(origin),
                    ssl_handshake_timeout=HANDSHAKE_S,
                )
            else:
                await self._loop.create_connection(protocol, sock=sock)
        except BaseException as error:
            sock.close()
            if failed := _failed(error, origin):
                raise failed from error
            raise

    async def _reach_proxy(self, protocol: Callable[[], asyncio.BaseProtocol], proxy: Proxy) -> None:
        """Connect to the proxy; an error here is not the target's failure."""
        try:
            found = await self._look_up(proxy.origin, "")
            sock = await self._connect(proxy.origin, found)
            await self._begin(protocol, sock, proxy.origin)
        except NoResponseError as error:
            if error.kind is FailureKind.OWN:
                raise
            told = problem(error.__cause__ or error)
            raise OwnTroubleError(Lack.PROXY, f"could not connect to the proxy: {told}") from error

    async def _tunnel(self, connection: Connection, proxy: Proxy) -> None:
        """Connect through a tunnel of the proxy, with TLS to the target inside."""
        origin = connection.origin
        tunnel = Tunnel()
        try:
            connection.awaits_proxy = True
            await self._reach_proxy(lambda: tunnel, proxy)
            connection.awaits_proxy = False
            transport = tunnel.transport
            if transport is None:
                raise OwnTroubleError(Lack.PROXY, "the proxy closed the connection")
            await open_tunnel(transport, tunnel, proxy, origin)
            try:
                inner = await self._loop.start_tls(
                    transport,
                    connection,
                    await self._context(origin),
                    server_hostname=_server_name(origin),
                    ssl_handshake_timeout=HANDSHAKE_S,
                )
            except Exception as error:
                if failed := _failed(error, origin):
                    raise failed from error
                raise
            if inner is None:
                raise NoResponseError(FailureKind.TLS, f"TLS with {origin} failed: it was closed")
            connection.connection_made(inner)
        except BaseException:
            tunnel.close()
            raise


def _failed(error: BaseException, origin: Origin) -> NoResponseError | None:
    """The failure of starting a connected socket, from its error; ``None`` for an error of another kind."""
    if trouble := own_trouble(f"could not connect to {origin}", error):
        return trouble
    match error:
        case ConnectionError() if origin.tls:
            told = f"{problem(error)} during the handshake; its TLS may be older than 1.2"
            return NoResponseError(FailureKind.TLS, f"TLS with {origin} failed: {told}")
        case OSError() | ValueError() if origin.tls:
            return NoResponseError(FailureKind.TLS, f"TLS with {origin} failed: {problem(error)}")
        case OSError():
            return NoResponseError(FailureKind.CONNECT, f"could not connect to {origin}: {problem(error)}")
    return None


def _server_name(origin: Origin) -> str:
    """The name that the certificate must be for: an address without its scope, a name without a final dot."""
    return origin.host.partition("%")[0].rstrip(".")


def _other_form(host: str) -> str | None:
    """The usual form of an address written like ``2130706433``; ``None`` for a name or an address in its usual form."""
    try:
        address = socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
    return None if address == host else address
