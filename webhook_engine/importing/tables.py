"""Reads rows of another server's PostgreSQL database, a page at a time, each as the JSON object that it is there.

So what columns a version of that server has is no matter until one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from webhook_engine.importing.source import SourceError

if TYPE_CHECKING:
    import psycopg

__all__ = ["Row", "Tables"]

PAGE = 200
LARGE_PAGE = 20
CONNECT_TIMEOUT_S = 10

Row = Mapping[str, Any]


class Tables:
    """A database of a product, as a context manager. Nothing is written to it."""

    def __init__(self, product: str, url: str, *, page: int = PAGE) -> None:
        self._product = product
        self._url = url
        self._page = page
        self._psycopg: ModuleType | None = None
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def place(self) -> str:
        """Where the database is, without what is secret."""
        return self._url.rpartition("@")[2].partition("?")[0].removeprefix("postgresql://").removeprefix("postgres://")

    def require(self, *tables: str) -> None:
        """Raises ``SourceError`` if one of these tables is not there."""
        for table in tables:
            if self.one("SELECT to_regclass(%(table)s)", table=table) is None:
                raise SourceError(
                    f"the database {self.place} has no table {table}; is it that of a {self._product} server, and may "
                    "this user see it?"
                )

    def one(self, query: str, **values: object) -> Any:
        """The first value of the first row, or ``None``."""
        rows = self._run(query, values)
        return rows[0][0] if rows else None

    def rows(self, query: str, **values: object) -> list[Row]:
        """All rows of a query that has one column of JSON, and few rows."""
        return [row for (row,) in self._run(query, values)]

    def pages(self, query: str, *, after: str = "", large: bool = False, **values: object) -> Iterator[Row]:
        """All rows of a query that has ``id > %(after)s ORDER BY id LIMIT %(page)s``, and one column of JSON.

        Of ``large`` rows, such as payloads, fewer are read at once.
        """
        page = min(self._page, LARGE_PAGE) if large else self._page
        while True:
            found = self.rows(query, **values, after=after, page=page)
            yield from found
            if len(found) < page:
                return
            after = found[-1]["id"]

    def _run(self, query: str, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        connection = self._connection or self._connect()
        errors: type[Exception] = self._loaded().Error
        try:
            return connection.execute(query.encode(), values).fetchall()
        except errors as problem:
            raise SourceError(
                f"the database {self.place} cannot be read ({_first_line(problem)}); is it that of a {self._product} "
                "server? What was taken over stays, and is not doubled when the command is run again"
            ) from None

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        if not self._url.startswith(("postgresql://", "postgres://")):
            raise SourceError("--database: must begin with postgresql://")
        module = self._loaded()
        errors: type[Exception] = module.Error
        try:
            self._connection = module.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="webhook-engine import",
                options="-c default_transaction_read_only=on",
            )
        except errors as problem:
            raise SourceError(
                f"no connection to the database {self.place or 'that --database names'} ({self._said(problem)}); "
                "--database is written postgresql://USER:PASSWORD@HOST:PORT/NAME"
            ) from None
        assert self._connection is not None  # noqa: S101 (connect returns one or raises)
        return self._connection

    def _loaded(self) -> ModuleType:
        if self._psycopg is None:
            try:
                import psycopg  # noqa: PLC0415 (an extra, and needed only where a database is read)
            except ImportError:
                raise SourceError(
                    "reading a PostgreSQL database needs: pip install 'webhook-engine[postgresql]'"
                ) from None
            self._psycopg = psycopg
        return self._psycopg

    def _said(self, problem: Exception) -> str:
        """What the driver says, without the password in the URL, which it may repeat."""
        password = self._url.partition("://")[2].partition("@")[0].partition(":")[2]
        return _first_line(problem).replace(password, "…") if password else _first_line(problem)


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
