"""Recordings: calls that were recorded, with what was noted of them. The sound itself stays with the phone system."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, acting, alters, creates, reads, sets
from control.api.lists import Asking, page
from control.api.shapes import (
    Id,
    Listed,
    Moment,
    Named,
    PathId,
    PersonNamed,
    Sent,
    Text,
    given,
    refer,
    refer_person,
    utc,
)
from control.doors import SIGNED_IN
from control.paging import LARGEST
from control.recordings_asked import Asked as Wanted
from tenants.actor import Actor
from tenants.phones import find_extension
from tenants.recordings import LONGEST, NOTES_LENGTH, Direction, Disposition, Recording, find_recording
from tenants.roles import Permission
from tenants.text import clean
from tenants.tree import find_tenant

EDIT = Permission.EDIT_COMPANY_RECORDS
Number = Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this record.")]
When = Annotated[datetime | None, QueryParameter(description="RFC 3339, with its offset.")]


class RecordingShape(Struct):
    """A recorded call. Of a private one `party` and `notes` are null for whoever may not know them (`masked`)."""

    id: int
    tenant: Named
    extension: str | None
    """The number of the extension."""
    membership: int | None
    user: PersonNamed | None
    external_id: str | None
    direction: Direction
    party: str | None
    started_at: datetime
    seconds: int
    disposition: Disposition | None
    notes: str | None
    private: bool
    masked: bool
    created_at: datetime
    discarded_at: datetime | None


class Unmasked(Struct):
    """What a private recording keeps from those above its company."""

    party: str
    notes: str | None


class RevealedShape(Struct):
    """A private recording, and what was looked into: told once, and not again to the same Idempotency-Key."""

    recording: RecordingShape
    revealed: Unmasked


class NewRecording(Sent):
    """A call that the phone system recorded; `external_id` is what it calls it, once in each tenant."""

    tenant: Id
    external_id: Text
    direction: Direction
    party: Text
    started_at: Moment
    seconds: Annotated[int, Meta(ge=0, le=LONGEST)]
    extension: Id | None = None
    private: bool = False


class RecordingChange(Sent):
    """What is noted of a call; null takes it away."""

    notes: Annotated[str, Meta(max_length=NOTES_LENGTH)] | UnsetType | None = UNSET
    disposition: Disposition | UnsetType | None = UNSET


class Privacy(Sent):
    """Whether it is nobody's business outside the company."""

    private: bool


@reads("/recordings", may=SIGNED_IN, summary="List the recordings in reach")
async def list_recordings(
    request: Asked,
    session: Session,
    listing: Asking,
    tenant: Number = None,
    membership: Number = None,
    extension: Number = None,
    direction: Direction | None = None,
    disposition: Disposition | None = None,
    since: When = None,
    until: When = None,
) -> Listed[RecordingShape]:
    """The recordings in reach, the newest first; a member's own."""
    actor = acting(request)
    wanted = Wanted(
        q=clean(listing.q or "", "q"),
        tenant=tenant,
        membership=membership,
        extension=extension,
        direction=direction,
        disposition=disposition,
        since=utc(since, "since"),
        until=utc(until, "until"),
        discarded=listing.discarded,
    )

    async def shaped(recordings: Sequence[Recording]) -> list[RecordingShape]:
        return [_shape(each, actor) for each in recordings]

    columns: dict[str, sa.SQLColumnExpression[Any]] = {
        "id": Recording.id,
        "started_at": Recording.started_at,
        "seconds": Recording.seconds,
    }
    return await page(session, wanted.statement(actor), columns, listing, shaped, sort="-started_at")


@reads("/recordings/{recording_id:int}", may=SIGNED_IN, summary="Show a recording")
async def show_recording(request: Asked, session: Session, recording_id: PathId) -> RecordingShape:
    """The recording, when in reach."""
    return _shape(await find_recording(session, recording_id), acting(request))


@creates("/recordings", may=Permission.MANAGE_PHONES, outlives=True, summary="Take in a recording")
async def take_in_recording(request: Asked, session: Session, data: JSONBody[NewRecording]) -> RecordingShape:
    """What is known of a call. The same `external_id` again changes nothing and answers with what is here."""
    made = await Recording.take_in(
        session,
        await find_tenant(session, data.tenant),
        request.user.now,
        external_id=data.external_id,
        direction=data.direction,
        party=data.party,
        started_at=utc(data.started_at, "started_at") or request.user.now,
        seconds=data.seconds,
        extension=await find_extension(session, data.extension) if data.extension is not None else None,
        private=data.private,
    )
    return await _reread(request, session, made.id)


@alters("/recordings/{recording_id:int}", may=EDIT, outlives=False, summary="Note something of a recording")
async def change_recording(
    request: Asked, session: Session, recording_id: PathId, data: JSONBody[RecordingChange]
) -> RecordingShape:
    """Notes and disposition; of a private one only its own company's people write."""
    recording = await find_recording(session, recording_id)
    await recording.change(session, acting(request), **given(data))
    return await _reread(request, session, recording_id)


@sets("/recordings/{recording_id:int}/private", may=SIGNED_IN, outlives=True, summary="Mark a recording as private")
async def set_privacy(
    request: Asked, session: Session, recording_id: PathId, data: JSONBody[Privacy]
) -> RecordingShape:
    """By its member, or by an admin or supervisor of its own company."""
    await (await find_recording(session, recording_id)).set_private(session, acting(request), data.private)
    return await _reread(request, session, recording_id)


@creates(
    "/recordings/{recording_id:int}/reveal",
    may=EDIT,
    outlives=True,
    summary="Look into a private recording",
    status=200,
)
async def reveal_recording(request: Asked, session: Session, recording_id: PathId) -> RevealedShape:
    """All of a private one, for an admin above. That they looked is written down before they are answered.

    Who stands in for somebody confirms each one on its own page in the panel.
    """
    recording, actor = await find_recording(session, recording_id), acting(request)
    await recording.reveal(session, actor)
    return RevealedShape(_shape(recording, actor), Unmasked(recording.party, recording.notes))


@creates("/recordings/{recording_id:int}/discard", may=EDIT, outlives=False, summary="Discard a recording", status=200)
async def discard_recording(request: Asked, session: Session, recording_id: PathId) -> RecordingShape:
    """Out of every list; the record stays."""
    recording = await find_recording(session, recording_id)
    await recording.discard(session, acting(request), request.user.now)
    return await _reread(request, session, recording_id)


async def _reread(request: Asked, session: AsyncSession, recording_id: int) -> RecordingShape:
    return _shape(await find_recording(session, recording_id), acting(request))


def _shape(recording: Recording, actor: Actor) -> RecordingShape:
    """As `actor` may know it."""
    masked = not recording.readable_by(actor)
    membership, line = recording.membership, recording.extension
    return RecordingShape(
        recording.id,
        refer(recording.tenant),
        line.number if line else None,
        recording.membership_id,
        refer_person(membership.user) if membership else None,
        recording.external_id,
        Direction(recording.direction),
        None if masked else recording.party,
        recording.started_at,
        recording.seconds,
        Disposition(recording.disposition) if recording.disposition else None,
        None if masked else recording.notes,
        recording.private,
        masked,
        recording.created_at,
        recording.discarded_at,
    )


ROUTES = [
    list_recordings,
    show_recording,
    take_in_recording,
    change_recording,
    set_privacy,
    reveal_recording,
    discard_recording,
]
