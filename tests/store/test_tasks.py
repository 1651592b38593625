import msgspec
from records import ORGANIZATION, World, addressed, ids, progress

from webhook_engine.clock import to_datetime
from webhook_engine.model import TaskStatus
from webhook_engine.store.records import Span
from webhook_engine.store.seam import Store


async def test_a_task_comes_back_as_it_was(store: Store, world: World) -> None:
    added = await world.task(application_id="app_1", endpoint_id="ep_1", data={"processed": 0, "since": "ü"})
    assert await store.tasks.get(ORGANIZATION, added.id) == added
    assert await store.tasks.get("org_2", added.id) is None
    assert await store.tasks.get(ORGANIZATION, "qtask_none") is None


async def test_a_task_advances(store: Store, world: World) -> None:
    added = await world.task()
    now = world.tick()
    await store.tasks.advance(progress(added, cursor="c1", data={"processed": 5}), now)
    expected = msgspec.structs.replace(added, data={"processed": 5}, updated_at=to_datetime(now))
    assert await store.tasks.running() == [(expected, "c1")]
    await store.tasks.advance(progress(added, status=TaskStatus.FAILED, data={"error": "x"}), now)
    found = await store.tasks.get(ORGANIZATION, added.id)
    assert found is not None
    assert (found.status, found.data) == (TaskStatus.FAILED, {"error": "x"})


async def test_a_task_ends_once_with_what_is_told_of_it(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    added = await world.task()
    ending = progress(added, status=TaskStatus.FINISHED, data={"processed": 5})
    told, told_again = (addressed(world.new_message(application.id), endpoint) for _ in range(2))
    assert await store.tasks.end(ending, world.tick(), [told])
    assert not await store.tasks.end(ending, world.tick(), [told_again])
    assert await store.tasks.running() == []
    found = await store.tasks.get(ORGANIZATION, added.id)
    assert found is not None
    assert (found.status, found.data) == (TaskStatus.FINISHED, {"processed": 5})
    due = await store.deliveries.due(endpoint.endpoint.id, world.tick(), 10)
    assert [one.message_id for one in due] == [told.message.id]


async def test_a_paused_task_keeps_the_step_that_was_under_way_and_is_not_run(store: Store, world: World) -> None:
    added = await world.task()
    assert await store.tasks.turn(added.id, TaskStatus.RUNNING, TaskStatus.PAUSED, world.tick())
    assert not await store.tasks.turn(added.id, TaskStatus.RUNNING, TaskStatus.PAUSED, world.tick())
    await store.tasks.advance(progress(added, cursor="c1", data={"processed": 5}), world.tick())
    found = await store.tasks.get(ORGANIZATION, added.id)
    assert found is not None
    assert (found.status, found.data) == (TaskStatus.PAUSED, {"processed": 5})
    assert await store.tasks.running() == []
    assert await store.tasks.turn(added.id, TaskStatus.PAUSED, TaskStatus.RUNNING, world.tick())
    [(running, cursor)] = await store.tasks.running()
    assert (running.id, cursor) == (added.id, "c1")


async def test_a_paused_task_can_end(store: Store, world: World) -> None:
    added = await world.task()
    await store.tasks.turn(added.id, TaskStatus.RUNNING, TaskStatus.PAUSED, world.tick())
    assert await store.tasks.end(progress(added, status=TaskStatus.FAILED), world.tick(), [])
    assert not await store.tasks.turn(added.id, TaskStatus.PAUSED, TaskStatus.RUNNING, world.tick())


async def test_running_tasks_of_all_organizations_are_told_oldest_first(store: Store, world: World) -> None:
    first = world.new_task()
    second = world.new_task(organization_id="org_2")
    await store.tasks.add(second, "cursor")
    await store.tasks.add(first, None)
    await store.tasks.add(world.new_task(status=TaskStatus.FINISHED), None)
    assert await store.tasks.running() == [(first, None), (second, "cursor")]


async def test_lists_are_filtered_in_the_order_of_ids(store: Store, world: World) -> None:
    made = [
        await world.task(application_id="app_1"),
        await world.task(application_id="app_2", status=TaskStatus.FINISHED),
        await world.task(application_id="app_1", task="endpoint.replay"),
        await world.task(application_id="app_1", status=TaskStatus.FINISHED, task="endpoint.replay"),
    ]
    await world.task(organization_id="org_2")

    async def listed(
        *,
        status: TaskStatus | None = None,
        kind: str | None = None,
        application_id: str | None = None,
        **span: object,
    ) -> list[int]:
        found = await store.tasks.list(
            ORGANIZATION, Span(**span), status=status, kind=kind, application_id=application_id
        )
        return [ids(made).index(one.id) for one in found]

    assert await listed() == [3, 2, 1, 0]
    assert await listed(descending=False, limit=2) == [0, 1]
    assert await listed(low=made[0].id, high=made[3].id) == [2, 1]
    assert await listed(status=TaskStatus.FINISHED) == [3, 1]
    assert await listed(kind="endpoint.replay") == [3, 2]
    assert await listed(application_id="app_1") == [3, 2, 0]
    assert await listed(status=TaskStatus.RUNNING, kind="endpoint.recover", application_id="app_1") == [0]
