"""The request's database session, as handlers ask for it: in the visitor's reach, in one transaction."""

from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

Session = NamedDependency[AsyncSession]
