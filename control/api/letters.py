"""Letters: what went out to people in reach and what did not; never what a letter says."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, creates, reads
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, tenants_named
from control.paging import LARGEST
from tenants.letters import Letter, LetterKind, Stage
from tenants.refusals import OutOfReach
from tenants.roles import Permission

MANAGE = Permission.MANAGE_PEOPLE


class LetterShape(Struct):
    """A letter of the outbox: to whom, what it is about, what became of it."""

    id: int
    kind: str
    email: str
    name: str
    tenant: Named | None
    stage: str
    created_at: datetime
    next_try_at: datetime | None
    """While it waits."""
    sent_at: datetime | None
    failed_at: datetime | None
    tries: int
    error: str | None
    """What kind of trouble, then the mail server's code and words; without addresses and links."""


@reads("/letters", may=MANAGE, summary="List the letters in reach")
async def list_letters(
    session: Session,
    listing: Asking,
    stage: Annotated[Stage | None, QueryParameter(description="How far it has come.")] = None,
    kind: Annotated[LetterKind | None, QueryParameter(description="What it is about.")] = None,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Of this tenant.")] = None,
) -> Listed[LetterShape]:
    """The letters of the tenants in reach, newest first. `q` looks at names and addresses."""
    wanted = sa.select(Letter).where(
        listing.like(Letter.name, Letter.address),
        Letter.at_stage(stage) if stage else sa.true(),
        Letter.kind == kind.value if kind else sa.true(),
        Letter.tenant_id == tenant if tenant else sa.true(),
    )

    async def shaped(letters: Sequence[Letter]) -> list[LetterShape]:
        return await _shapes(session, letters)

    return await page(session, wanted, {"id": Letter.id}, listing, shaped, sort="-id")


@reads("/letters/{letter_id:int}", may=MANAGE, summary="Show a letter")
async def show_letter(session: Session, letter_id: PathId) -> LetterShape:
    """What became of it, when in reach."""
    letter = await session.get(Letter, letter_id)
    if letter is None:
        raise OutOfReach
    return (await _shapes(session, [letter]))[0]


@creates("/letters/{letter_id:int}/try-again", may=MANAGE, outlives=True, summary="Try a letter again", status=200)
async def try_letter_again(request: Asked, session: Session, letter_id: PathId) -> LetterShape:
    """Now, instead of at the next try of one that is under way anyway."""
    letter = await Letter.find(session, letter_id)
    letter.hasten(request.user.now)
    request.app.state.house.wake_sender_after(session)
    return (await _shapes(session, [letter]))[0]


async def _shapes(session: AsyncSession, letters: Sequence[Letter]) -> list[LetterShape]:
    tenants = await tenants_named(session, [letter.tenant_id for letter in letters])
    return [
        LetterShape(
            letter.id,
            letter.kind,
            letter.address,
            letter.name,
            tenants.get(letter.tenant_id),
            letter.stage.value,
            letter.created_at,
            letter.due_at if letter.stage is Stage.WAITING else None,
            letter.sent_at,
            letter.failed_at,
            letter.tries,
            letter.error,
        )
        for letter in letters
    ]


ROUTES = [list_letters, show_letter, try_letter_again]
