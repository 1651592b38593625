"""The platform's own webhooks: where they are asked for, and what came of them."""

from __future__ import annotations

import json

from receivers import Receiver

from webhook_engine import Endpoint, Engine
from webhook_engine.model import DEFAULT_ORGANIZATION

OPERATIONAL = "org_00000000000SvixManagement00"


async def watch(engine: Engine, url: str, organization: str = DEFAULT_ORGANIZATION, **settings: object) -> Endpoint:
    """An operational application for an organization, with an endpoint at ``url``."""
    platform = engine.organization(OPERATIONAL)
    await platform.applications.create(name=organization, uid=organization)
    return await platform.endpoints.create(organization, url=url, **settings)  # type: ignore[arg-type]


def told(receiver: Receiver, event_type: str) -> list[dict]:
    """The data of every webhook of a type."""
    bodies = [json.loads(body) for body in receiver.bodies]
    return [body["data"] for body in bodies if body["type"] == event_type]
