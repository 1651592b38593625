"""SQLAlchemy: the outbox beside the models, and a message that is committed with the change it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy
from receivers import Receiver
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from webhook_engine import Engine
from webhook_engine.integrations.sqlalchemy import create_table, enqueue, is_outbox, outbox_table


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    paid: Mapped[bool] = mapped_column(default=False)


outbox_table(Base.metadata)


def pay(session: Session, number: int) -> None:
    session.add(Invoice(id=number, paid=True))
    enqueue(session, application="acme", event_type="invoice.paid", payload={"id": number})


async def test_a_message_belongs_to_its_change(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    database = sqlalchemy.create_engine(url)
    Base.metadata.create_all(database)

    def fail() -> None:
        with Session(database) as session, session.begin():
            pay(session, 2)
            raise KeyError("business rule")

    async with Receiver() as receiver:
        async with Engine.open(tmp_path / "webhooks.db") as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        async with Engine.open(
            tmp_path / "webhooks.db", allow_subnets=["127.0.0.1/32"], outbox__sources=[url]
        ) as engine:
            with Session(database) as session, session.begin():
                pay(session, 1)
            with pytest.raises(KeyError):
                fail()
            await engine.join(timeout=10)
            assert receiver.bodies == [b'{"id":1}']
    tables = sqlalchemy.inspect(database).get_table_names()
    assert [name for name in tables if is_outbox(name)] == ["webhook_outbox"]
    Base.metadata.drop_all(database)
    assert sqlalchemy.inspect(database).get_table_names() == []
    database.dispose()


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)


def test_a_session_with_several_databases(tmp_path: Path) -> None:
    billing = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'billing.db'}")
    crm = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'crm.db'}")
    Base.metadata.tables["invoice"].create(billing)
    Base.metadata.tables["customer"].create(crm)
    with billing.begin() as connection:
        create_table(connection)

    def work(session: Session) -> None:
        session.add_all([Invoice(id=1, paid=True), Customer(id=1)])
        connection = session.connection(bind_arguments={"mapper": Invoice})
        enqueue(connection, application="acme", event_type="invoice.paid", payload={"id": 1})

    def waiting() -> int:
        with billing.connect() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM webhook_outbox").scalar_one())

    def session() -> Session:
        return Session(binds={Invoice: billing, Customer: crm})

    with session() as one:
        work(one)
        one.rollback()
        assert waiting() == 0
        work(one)
        one.commit()
    assert waiting() == 1
    with session() as one, pytest.raises(UnboundExecutionError) as caught:
        enqueue(one, application="acme", event_type="invoice.paid", payload={"id": 1})
    assert 'session.connection(bind_arguments={"mapper": Invoice})' in " ".join(caught.value.__notes__)
    billing.dispose()
    crm.dispose()
