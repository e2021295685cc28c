"""Products: what is sold. The catalogue is the platform's, and everybody may read it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Record
from tenants.text import named, slugged
from tenants.trail import record
from tenants.verbs import Verb


class Product(Record, Audited):
    """Something sold: Softphone, Desk. The catalogue is the platform's and everybody may read it."""

    __tablename__ = "products"
    noun = "product"

    name: Mapped[str] = mapped_column(sa.String(200))
    slug: Mapped[str] = mapped_column(sa.String(80), unique=True)
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Everybody's."""
        return sa.false() if reach.extent is Extent.NOTHING else sa.true()

    def touches(self, reach: Reach) -> set[int] | None:
        """Only who holds the whole tree changes the catalogue."""
        return set() if reach.whole else None

    @classmethod
    async def create(cls, session: AsyncSession, name: str, now: datetime) -> "Product":
        """A new product."""
        product = cls(name=named(name), slug=slugged(name), created_at=now)
        session.add(product)
        record(session, Verb.PRODUCT_CREATED, product)
        await session.flush()
        return product
