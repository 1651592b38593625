"""How many attempts an endpoint's retry schedule allows for a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook_engine.model import Attempt, EndpointOptions, Message
from webhook_engine.rules.endpoint_options import for_event_type, schedule_within
from webhook_engine.server.api.route import Call

__all__ = ["attempts_in_schedule"]


async def attempts_in_schedule(
    call: Call[Any, Any], attempts: Sequence[Attempt], message: Message | None = None
) -> Mapping[str, int]:
    """Map the id of each attempt to the length of its retry schedule: one attempt, and one after each delay.

    The schedule is the current one. ``message`` is the message of all attempts, if it is known already.
    """
    services, application = call.context.services, call.application
    bounds, usual = services.policy.endpoint_options, call.context.engine.config.delivery.retry_schedule
    endpoints: dict[str, EndpointOptions] = {
        stored.endpoint.id: stored.endpoint for stored in await services.directory.endpoints(application.id)
    }
    event_types: dict[str, str] = {} if message is None else {message.id: message.event_type}
    found: dict[str, int] = {}
    for attempt in attempts:
        options = endpoints.get(attempt.endpoint_id) or EndpointOptions()  # a deleted endpoint has no options
        schedule = options.retry_schedule
        if options.retry_schedule_by_event_type is not None:
            if attempt.msg_id not in event_types:
                one = await call.organization.messages.get(application.id, attempt.msg_id, with_content=False)
                event_types[attempt.msg_id] = one.event_type
            schedule = for_event_type(event_types[attempt.msg_id], options.retry_schedule_by_event_type, schedule)
        within = schedule_within(schedule, bounds)
        found[attempt.id] = 1 + len(usual if within is None else within)
    return found
