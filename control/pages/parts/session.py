"""The request's database session: in the visitor's reach, in one transaction, committed before the answer.

And who asks for it, of which house.
"""

from contextlib import asynccontextmanager
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from control.doors import session_of
from control.house import House
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.refusals import OutOfReach

Session = NamedDependency[AsyncSession]
"""As a handler asks for it."""

changing = asynccontextmanager(session_of)
"""As a handler opens it that has more to say after a refusal: what was refused is rolled back and written down."""


def acting(request: Request[Visitor, Any, Any]) -> Actor:
    """Who acts. The door has let nobody pass without an actor."""
    if request.user.actor is None:
        raise OutOfReach
    return request.user.actor


def house_of(request: Request[Visitor, Any, Any]) -> House:
    """The house at whose door this is."""
    house: House = request.app.state.house
    return house
