"""The table of all routes; dispatch, validation, permissions and the OpenAPI document are all based on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook_engine.server.api import (
    access,
    alerts,
    applications,
    attempt_stats,
    attempts,
    audit,
    bulk,
    charts,
    delivery_rules,
    destinations,
    diagnosis,
    endpoint_actions,
    endpoint_order,
    endpoints,
    environment,
    event_types,
    filtering,
    health,
    imports,
    insight,
    live,
    message_search,
    messages,
    openapi_import,
    operational,
    operator,
    poller,
    tasks,
    transformations,
    usage,
)
from webhook_engine.server.api.route import Route

__all__ = ["PREFIX", "ROUTES", "RouteTree"]

PREFIX = "/api/v1"

ROUTES: tuple[Route[Any, Any], ...] = (
    *applications.ROUTES,
    *endpoints.ROUTES,
    *endpoint_actions.ROUTES,
    *endpoint_order.ROUTES,
    *transformations.ROUTES,
    *destinations.ROUTES,
    *event_types.ROUTES,
    *messages.ROUTES,
    *message_search.ROUTES,
    *attempts.ROUTES,
    *attempt_stats.ROUTES,
    *bulk.ROUTES,
    *operational.ROUTES,
    *openapi_import.ROUTES,
    *environment.ROUTES,
    *imports.ROUTES,
    *usage.ROUTES,
    *poller.ROUTES,
    *tasks.ROUTES,
    *insight.ROUTES,
    *charts.ROUTES,
    *live.ROUTES,
    *delivery_rules.ROUTES,
    *filtering.ROUTES,
    *diagnosis.ROUTES,
    *access.ROUTES,
    *alerts.ROUTES,
    *audit.ROUTES,
    *operator.ROUTES,
    *health.ROUTES,
)


class _Node:
    """A node of the tree: what may follow one path segment."""

    __slots__ = ("any", "literal", "routes")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.routes: dict[str, Route[Any, Any]] = {}


class RouteTree:
    """Finds the routes of a path; the cost depends only on the length of the path."""

    def __init__(self, routes: Sequence[Route[Any, Any]]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.strip("/").split("/"):
                if segment.startswith("{"):
                    node.any = node.any or _Node()
                    node = node.any
                else:
                    node = node.literal.setdefault(segment, _Node())
            if route.method in node.routes:
                raise ValueError(f"{route.method} {route.path} is declared twice")
            node.routes[route.method] = route

    def find(self, segments: Sequence[str]) -> tuple[Mapping[str, Route[Any, Any]], Sequence[str]]:
        """The routes at a path by method, and the values of its parameters; no routes if there are none."""
        values: list[str] = []
        node = _descend(self._root, segments, 0, values)
        return ({}, ()) if node is None else (node.routes, values)


def _descend(node: _Node, segments: Sequence[str], index: int, values: list[str]) -> _Node | None:
    """The node of a path; literal segments go before parameters."""
    if index == len(segments):
        return node if node.routes else None
    follower = node.literal.get(segments[index])
    if follower is not None:
        found = _descend(follower, segments, index + 1, values)
        if found is not None:
            return found
    if node.any is None:
        return None
    values.append(segments[index])
    found = _descend(node.any, segments, index + 1, values)
    if found is None:
        values.pop()
    return found
