"""Factors: all that somebody has to prove themselves with besides the password, counted, asked for and taken away."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Identity
from tenants.passkeys import Passkey, passkeys_of
from tenants.people import User
from tenants.refusals import NotPermitted
from tenants.second_factors import RecoveryCode, Totp, plain, totp_of
from tenants.sign_in import SignIn
from tenants.trail import record
from tenants.verbs import Verb


@dataclass(frozen=True, slots=True)
class Factors:
    """Somebody's second factors in force, and how many recovery codes are left."""

    totp: Totp | None
    preparing: Totp | None
    """An authenticator app whose first code is still to come."""
    passkeys: list[Passkey]
    codes_left: int

    @property
    def count(self) -> int:
        """How many there are; recovery codes only stand in for one that is lost."""
        return len(self.passkeys) + (self.totp is not None)


async def factors_of(session: AsyncSession, user_id: int) -> Factors:
    """What the person has, as far as the session reaches."""
    totp = await totp_of(session, user_id)
    confirmed = totp is not None and totp.confirmed_at is not None
    left = await RecoveryCode.left(session, user_id)
    passkeys = await passkeys_of(session, user_id)
    return Factors(totp if confirmed else None, None if confirmed else totp, passkeys, left)


async def keep_flag(session: AsyncSession, user: User, now: datetime) -> list[str]:
    """After one came or went: `users.second_factor` says whether there is any.

    Returns the recovery codes that the first one brings with it; with the last one they go.
    """
    has = (await factors_of(session, user.id)).count > 0
    if has is user.second_factor:
        return []
    user.second_factor = has
    if has:
        user.factors_reset_at = None
    record(session, Verb.SECOND_FACTOR_ON if has else Verb.SECOND_FACTOR_OFF, user)
    await session.flush()
    if has:
        return await RecoveryCode.make(session, user, now)
    await RecoveryCode.end_all(session, user.id, now)
    return []


def require_spare(factors: Factors, identities: Iterable[Identity]) -> None:
    """NotPermitted to take the last one away while an organization asks for one."""
    asking = next((each.tenant_name for each in identities if each.needs_factor), None)
    if asking is not None and factors.count <= 1:
        raise NotPermitted(
            f"{asking} asks its admins and operators for a second factor. Set up another one before you remove this.",
            rule="policy",
        )


async def accept_code(session: AsyncSession, secret_key: bytes, user: User, typed: str, now: datetime) -> bool:
    """Whether it is a code of the person's authenticator app now, or one of their unused recovery codes."""
    code = plain(typed)
    if len(code) == 6 and code.isdecimal():
        totp = await totp_of(session, user.id)
        confirmed = totp is not None and totp.confirmed_at is not None
        return totp is not None and confirmed and await totp.accept(session, secret_key, code, now)
    return bool(code) and await RecoveryCode.spend(session, user, code, now)


def factor_missing(identity: Identity, sign_in: SignIn | None) -> bool:
    """The organization asks for a second factor, and the person has none, or did not use it for this sign-in.

    A key has no sign-in: there it is enough that the person has one.
    """
    if not identity.needs_factor:
        return False
    return not identity.has_factor or (sign_in is not None and not sign_in.strong)


async def reset_factors(session: AsyncSession, user: User, reason: str | None, now: datetime) -> None:
    """Take all of them away from somebody who is locked out; their next sign-in asks them to set up new ones."""
    factors = await factors_of(session, user.id)
    for totp in (factors.totp, factors.preparing):
        if totp is not None:
            await totp.remove(session, now)
    for passkey in factors.passkeys:
        await passkey.remove(session, now)
    await RecoveryCode.end_all(session, user.id, now)
    user.second_factor, user.factors_reset_at = False, now
    record(session, Verb.FACTORS_RESET, user, reason=reason)
    await session.flush()


async def lock(session: AsyncSession, user: User) -> None:
    """Of two changes of one person's factors at once, the second waits for the first."""
    await session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())
