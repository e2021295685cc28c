"""Playbooks: what a company does when; Markdown, every version kept."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record


class Playbook(Record, Audited):
    """One playbook; its text lies in its versions, the newest is in force."""

    __tablename__ = "playbooks"
    noun = "playbook"
    __table_args__ = (sa.UniqueConstraint("id", "tenant_id"),)

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    title: Mapped[str] = mapped_column(sa.String(200))
    version: Mapped[int]
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """Its title."""
        return self.title

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; everybody of a company may read what it does when."""
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}


class PlaybookVersion(Record):
    """One version as it was written; the database refuses to change or delete it."""

    __tablename__ = "playbook_versions"
    __table_args__ = (
        sa.UniqueConstraint("playbook_id", "number"),
        sa.ForeignKeyConstraint(["playbook_id", "tenant_id"], ["playbooks.id", "playbooks.tenant_id"]),
    )

    playbook_id: Mapped[int] = mapped_column(Number)
    tenant_id: Mapped[int] = mapped_column(Number)
    number: Mapped[int]
    title: Mapped[str] = mapped_column(sa.String(200))
    body: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.String(300))
    author_membership_id: Mapped[int | None] = mapped_column(Number)
    author_name: Mapped[str] = mapped_column(sa.String(250))
    restored_from: Mapped[int | None]
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its playbook is."""
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}
