"""Offers: what a join link is good for, to whoever holds it. Looking spends nothing, whoever looks."""

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.joining import holding, reader_of
from control.visitor import Visitor
from tenants.identities import live_identities
from tenants.invitations import Invitation, by_copy, by_letter
from tenants.people import User


class Way(StrEnum):
    """What the holder of a link can do with it."""

    GONE = "gone"
    """Nothing: it was used, is too old, or never was."""
    VOID = "void"
    """Nothing: nobody stands behind it any more."""
    SOMEBODY_ELSE = "somebody_else"
    """Nothing as who they are signed in as."""
    CHOOSE_PASSWORD = "choose_password"
    """Come in for the first time, by a letter."""
    SIGN_IN = "sign_in"
    """Sign in as who reads that letter, and come back."""
    CONFIRM = "confirm"
    """Say yes."""
    LETTER = "letter"
    """Have the letter sent: a copied link proves nothing about an address, and tells nothing of it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link is good for: the invitations that hold, and the way to take them up."""

    way: Way
    invitations: list[Invitation] = field(default_factory=list)
    reader: User | None = None
    """Who has verified the address."""
    copied: bool = False


async def offer_of(session: AsyncSession, visitor: Visitor, token: str, *, hold: bool = False) -> Offer:
    """The offer behind a link, for a session of the house. `hold` locks its invitations until the transaction ends."""
    found = await by_letter(session, token, visitor.now, hold=hold)
    copied = not found
    if copied:
        found = await by_copy(session, token, visitor.now, hold=hold)
    if not found:
        return Offer(Way.GONE)
    kept = await holding(session, found)
    reader = await reader_of(session, found[0].email)
    if not kept or (reader is not None and reader.discarded_at is not None and not copied):
        return Offer(Way.VOID)
    return Offer(await _way(session, visitor, reader, copied), kept, reader, copied)


async def _way(session: AsyncSession, visitor: Visitor, reader: User | None, copied: bool) -> Way:
    if visitor.actor is not None:
        myself = None if visitor.actor.standing_in or visitor.user is None else visitor.user.id
        return Way.CONFIRM if reader is not None and reader.id == myself else Way.SOMEBODY_ELSE
    if copied:
        return Way.LETTER
    # Who has no place anywhere cannot sign in: the letter is their way back.
    signs_in = reader is not None and await live_identities(session, user_id=reader.id)
    return Way.SIGN_IN if signs_in else Way.CHOOSE_PASSWORD
