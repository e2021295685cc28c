"""Personal: records of one person whose history belongs to the person's home."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from tenants.reach import Extent, Reach


class Personal:
    """One's own, and of the people whose home is in reach. `tenant_id` is that home."""

    user_id: Mapped[int]
    tenant_id: Mapped[int]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own, and those of the people whose home is in reach."""
        if reach.extent is Extent.NOTHING:
            return sa.false()
        own = cls.user_id == reach.user_id
        return own if reach.extent is Extent.SELF else sa.or_(own, reach.tenants(cls.tenant_id))

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own always; otherwise the person's home."""
        if reach.user_id and self.user_id == reach.user_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}
