"""The request's database session: in the visitor's reach, in one transaction, committed before the answer.

And who asks for it, of which house.
"""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from litestar import Request
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from control.doors import session_of
from control.house import House
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.refusals import Invalid, OutOfReach

T = TypeVar("T")

Session = NamedDependency[AsyncSession]
"""As a handler asks for it."""

changing = asynccontextmanager(session_of)
"""As a handler opens it that has more to say after a refusal: what was refused is rolled back and written down."""


async def attempted(
    request: Request[Visitor, Any, Any],
    attempt: Callable[[AsyncSession], Awaitable[T]],
    again: Callable[[AsyncSession, Invalid], Awaitable[T]],
) -> T:
    """What `attempt` answers; after an Invalid, when that is rolled back, what `again` does in a session of its own."""
    try:
        async with changing(request) as session:
            return await attempt(session)
    except Invalid as refusal:
        async with changing(request) as session:
            return await again(session, refusal)


def acting(request: Request[Visitor, Any, Any]) -> Actor:
    """Who acts. The door has let nobody pass without an actor."""
    if request.user.actor is None:
        raise OutOfReach
    return request.user.actor


def house_of(request: Request[Visitor, Any, Any]) -> House:
    """The house at whose door this is."""
    house: House = request.app.state.house
    return house
