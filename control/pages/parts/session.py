"""The request's database session: in the visitor's reach, in one transaction, committed before the answer."""

from contextlib import asynccontextmanager

from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from control.doors import session_of

Session = NamedDependency[AsyncSession]
"""As a handler asks for it."""

changing = asynccontextmanager(session_of)
"""As a handler opens it that has more to say after a refusal: what was refused is rolled back and written down."""
