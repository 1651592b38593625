"""The audit log: kept as it was written, listed by what is asked for, deleted when it is old."""

import msgspec
from records import ORGANIZATION, World

from webhook_engine.ids import id_bounds
from webhook_engine.store.audit import AUDIT_PREFIX, AuditEntry, AuditFilter
from webhook_engine.store.records import Span
from webhook_engine.store.seam import Store


def entry(world: World, **changes: object) -> AuditEntry:
    made = AuditEntry(
        id=id_bounds(AUDIT_PREFIX, world.tick())[0],
        organization_id=ORGANIZATION,
        application_id="app_1",
        subject=ORGANIZATION,
        token_id="tok_1",
        session_id=None,
        action="endpoint.patch",
        target="ep_1",
        changes=("url", "disabled = true"),
        address="192.0.2.7",
    )
    return msgspec.structs.replace(made, **changes)


async def test_entries_come_back_as_they_were_and_by_what_is_asked_for(store: Store, world: World) -> None:
    made = [
        entry(world),
        entry(world, subject="app_1", session_id="ada", address=None),
        entry(world, application_id=None, action="event-type.create", target="Ünïcode", changes=()),
    ]
    for one in (*made, entry(world, organization_id="org_2")):
        await store.audit.add(one)

    async def listed(span: Span = Span(), **where: str) -> list[AuditEntry]:  # noqa: B008 (it is frozen)
        return list(await store.audit.list(ORGANIZATION, span, AuditFilter(**where)))

    assert await listed() == made[::-1]
    assert await listed(Span(low=made[0].id, descending=False, limit=1)) == [made[1]]
    assert await listed(subject="app_1") == [made[1]]
    assert await listed(application_id="app_1") == [made[1], made[0]]
    assert await listed(action="event-type.create", target="Ünïcode") == [made[2]]
    assert await listed(target="nothing") == []


async def test_what_is_old_is_deleted_a_few_at_a_time(store: Store, world: World) -> None:
    made = [entry(world) for _ in range(3)]
    for one in made:
        await store.audit.add(one)
    assert [await store.upkeep.delete_audit(made[2].id, 1) for _ in range(3)] == [1, 1, 0]
    assert await store.audit.list(ORGANIZATION, Span(), AuditFilter()) == [made[2]]
