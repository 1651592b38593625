"""Reads rows of another server's PostgreSQL database page by page, each as a JSON object.

So it does not matter which columns a version of that server has, until one is used.
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
    """A database of a product, as a context manager; it is only read."""

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
        """The address of the database, without secrets."""
        return self._url.rpartition("@")[2].partition("?")[0].removeprefix("postgresql://").removeprefix("postgres://")

    def require(self, *tables: str) -> None:
        """Raises ``SourceError`` if one of these tables does not exist."""
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
        """All rows of a query for one JSON column and few rows."""
        return [row for (row,) in self._run(query, values)]

    def pages(self, query: str, *, after: str = "", large: bool = False, **values: object) -> Iterator[Row]:
        """All rows of a query with ``id > %(after)s ORDER BY id LIMIT %(page)s`` and one JSON column.

        ``large`` rows, such as payloads, are read in smaller pages.
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
                import psycopg  # noqa: PLC0415 (an extra, needed only for databases)
            except ImportError:
                raise SourceError(
                    "reading a PostgreSQL database needs: pip install 'webhook-engine[postgresql]'"
                ) from None
            self._psycopg = psycopg
        return self._psycopg

    def _said(self, problem: Exception) -> str:
        """The driver's message, with any password from the URL removed."""
        password = self._url.partition("://")[2].partition("@")[0].partition(":")[2]
        return _first_line(problem).replace(password, "…") if password else _first_line(problem)


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
