"""Deliveries: what apps were told of logins that have ended, as pages show it: "Softphone acknowledged 09:14:03"."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.login import Login
from bindings.logout_tokens import HELD, UNREGISTERED, Delivery, Outcome, deliveries
from control.outbound import Hitch
from control.speech import speech
from control.visitor import Visitor

SHOWN = 20
SID_SHOWN = 8
"""Letters of a login's id that tell it from others."""


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """One login that has ended; `trouble` says in words what the last try met."""

    app_name: str
    sid: str
    ended_at: datetime
    outcome: Outcome
    told_at: datetime | None
    tries: int
    trouble: str | None
    next_at: datetime | None


async def deliveries_of(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    *,
    app_id: int | None = None,
    impersonation_id: int | None = None,
    binding_id: int | None = None,
) -> list[ShownDelivery]:
    """The newest deliveries of an app, of an impersonation or of a binding: those of logins in the reader's reach."""
    asked = {Login.app_id: app_id, Login.impersonation_id: impersonation_id, Login.binding_id: binding_id}
    which = [column == number for column, number in asked.items() if number is not None]
    if not which:
        return []
    say = speech(request)
    return [_shown(each, say) for each in await deliveries(session, sa.and_(*which), SHOWN)]


def _shown(delivery: Delivery, say: Callable[[str], str]) -> ShownDelivery:
    return ShownDelivery(
        delivery.app_name,
        delivery.sid[:SID_SHOWN],
        delivery.ended_at,
        delivery.outcome,
        delivery.told_at,
        delivery.tries,
        trouble_words(delivery.trouble, say) if delivery.trouble else None,
        delivery.next_at,
    )


def trouble_words(trouble: str, _: Callable[[str], str]) -> str:
    """What the last try met, in a few words that stand behind others."""
    status = trouble.removeprefix("status ")
    if status != trouble:
        return _("status %(status)s") % {"status": status}
    known = {
        Hitch.ADDRESS.value: _("an address that nothing is sent to"),
        Hitch.CONNECTION.value: _("no secure connection"),
        Hitch.TIME.value: _("no answer in time"),
        Hitch.ANSWER.value: _("an answer that cannot be read"),
        HELD: _("the app has paused its stream: it is told when that goes on"),
        UNREGISTERED: _("the app takes no logouts any more"),
    }
    return known.get(trouble, trouble)
