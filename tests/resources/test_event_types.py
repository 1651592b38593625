"""Event types, as programs manage them."""

from __future__ import annotations

import pytest

from webhook_engine import ConflictError, Engine, NotFoundError


async def test_an_event_type_is_archived_and_comes_back(engine: Engine) -> None:
    made = await engine.event_types.create(name="a.b", schemas={"1": {"type": "object"}}, feature_flags=["beta"])
    with pytest.raises(ConflictError):
        await engine.event_types.create(name="a.b")
    await engine.event_types.delete("a.b")
    await engine.event_types.delete("a.b")
    assert (await engine.event_types.get("a.b")).archived
    assert (await engine.event_types.list()).data == []
    assert [one.name for one in (await engine.event_types.list(include_archived=True)).data] == ["a.b"]
    again = await engine.event_types.create(name="a.b", description="back")
    assert (again.archived, again.description, again.schemas) == (False, "back", None)
    assert made.schemas == {"1": {"type": "object"}}
    await engine.event_types.delete("a.b", expunge=True)
    for call in (engine.event_types.get("a.b"), engine.event_types.delete("a.b"), engine.event_types.update("a.b")):
        with pytest.raises(NotFoundError):
            await call


async def test_an_update_of_an_event_type_changes_only_what_is_given(engine: Engine) -> None:
    await engine.event_types.create(name="a", description="d", schemas={"1": {}}, feature_flags=["f"], group_name="g")
    changed = await engine.event_types.update("a", deprecated=True)
    assert (changed.description, changed.schemas, changed.feature_flags, changed.group_name) == (
        *("d", {"1": {}}),
        *(("f",), "g"),
    )
    cleared = await engine.event_types.update("a", schemas=None, group_name=None, feature_flags=[])
    assert (cleared.schemas, cleared.group_name, cleared.feature_flags, cleared.deprecated) == (None, None, (), True)


async def test_flags_hide_an_event_type_from_those_who_have_none_of_them(engine: Engine) -> None:
    await engine.event_types.create(name="open")
    await engine.event_types.create(name="beta", feature_flags=["one", "two"])
    assert [one.name for one in (await engine.event_types.list(feature_flags=[])).data] == ["open"]
    assert [one.name async for one in engine.event_types.iterate(feature_flags=["two"])] == ["beta", "open"]
    assert (await engine.event_types.get("beta", feature_flags=["two"])).name == "beta"
    with pytest.raises(NotFoundError):
        await engine.event_types.get("beta", feature_flags=["three"])


async def test_event_types_are_walked_whatever_their_names_begin_with(engine: Engine) -> None:
    names = ["-a", "--", "a", ".", "_", "0", "Z"]
    for name in names:
        await engine.event_types.create(name=name, schemas={"1": {}})
    seen, iterator = [], None
    while True:
        page = await engine.event_types.list(limit=1, iterator=iterator, with_content=False)
        assert all(one.schemas is None for one in page.data)
        seen += [one.name for one in page.data]
        iterator = page.iterator
        if page.done:
            break
    assert seen == sorted(names)
