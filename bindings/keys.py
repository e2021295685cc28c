"""Signing keys: the newest signs, older ones still verify until what they signed has expired."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tenants.records import Json, Record


class SigningKey(Record):
    """One key pair. The private half is stored encrypted under the house's secret key."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(sa.String(64), unique=True)
    alg: Mapped[str] = mapped_column(sa.String(10))
    public_jwk: Mapped[dict[str, str]] = mapped_column(Json)
    private_sealed: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
