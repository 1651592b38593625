"""A lane changes only itself: no other module of the package assigns to an attribute of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import webhook_engine
from webhook_engine.delivery.schedule.lane import Lane

PACKAGE = Path(webhook_engine.__file__).parent
HOME = PACKAGE / "delivery/schedule/lane.py"


def attributes_of(thing: object) -> set[str]:
    return {*vars(thing), *(name for name in dir(type(thing)) if not name.startswith("__"))}


def targets(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign():
            yield from node.targets
        case ast.AugAssign() | ast.AnnAssign():
            yield node.target
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            yield node.target
        case ast.With() | ast.AsyncWith():
            yield from (item.optional_vars for item in node.items if item.optional_vars)
        case ast.Delete():
            yield from node.targets


def written(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each attribute of a lane that is assigned to, as far as a name tells that it is one."""
    names = attributes_of(Lane("ep_1", 1))
    for node in ast.walk(ast.parse(source)):
        for target in targets(node):
            for part in ast.walk(target):
                if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store | ast.Del) and part.attr in names:
                    owner = ast.unparse(part.value)
                    if owner.split(".")[-1].strip("_").endswith("lane") or owner.endswith("lane"):
                        yield part.lineno, ast.unparse(part)
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] in {"setattr", "delattr"}
            and node.args
            and ast.unparse(node.args[0]).endswith("lane")
        ):
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize(
    "source",
    [
        "lane.health = WELL",
        "slot.lane.in_flight -= 1",
        "self._lane.target: object = None",
        "lane.target, other = None, 1",
        "for lane.limit in range(3): pass",
        "with it as lane.target: pass",
        "del lane.target",
        "setattr(lane, 'target', None)",
    ],
)
def test_a_write_is_seen(source: str) -> None:
    assert list(written(source))


@pytest.mark.parametrize("source", ["x = lane.health", "lane.clear()", "lane = None", "other.lane = 1"])
def test_what_is_no_write_is_allowed(source: str) -> None:
    assert not list(written(source))


def test_nobody_but_the_lane_writes_to_a_lane() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != HOME
        for line, text in written(path.read_text("utf-8"))
    ]
    assert found == []
