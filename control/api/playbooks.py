"""Playbooks: what a company does when, with every version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, acting, alters, creates, reads
from control.api.lists import Asking, OfTenant, page
from control.api.shapes import Id, Listed, Named, PathId, Sent, Text, tenants_named
from tenants.playbooks import LONGEST, NOTE, Playbook, PlaybookVersion, find_playbook, find_version
from tenants.roles import Permission
from tenants.tree import find_tenant

SEE, EDIT = Permission.SEE_COMPANY_RECORDS, Permission.EDIT_COMPANY_RECORDS

Body = Annotated[str, Meta(max_length=LONGEST)]
Note = Annotated[str, Meta(max_length=NOTE)]


class PlaybookShape(Struct):
    """A playbook with its newest text."""

    id: int
    tenant: Named | None
    title: str
    version: int
    body: str
    created_at: datetime
    discarded_at: datetime | None


class PlaybookLine(Struct):
    """A playbook in a list, without its text."""

    id: int
    tenant: Named | None
    title: str
    version: int
    created_at: datetime
    discarded_at: datetime | None


class VersionShape(Struct):
    """One version as it was written."""

    number: int
    title: str
    body: str
    note: str | None
    author: str
    restored_from: int | None
    created_at: datetime


class NewPlaybook(Sent):
    """A playbook to write."""

    tenant: Id
    title: Text
    body: Body
    note: Note = ""


class PlaybookChange(Sent):
    """A new version. `version` is the one it was written upon: 409 when there is a newer one by now."""

    version: Id
    title: Text | None = None
    body: Body | None = None
    note: Note = ""


class Restored(Sent):
    """Which version becomes the newest again."""

    version: Id


@reads("/playbooks", may=SEE, summary="List the playbooks in reach")
async def list_playbooks(session: Session, listing: Asking, tenant: OfTenant = None) -> Listed[PlaybookLine]:
    """The playbooks in reach, by title, without their texts."""
    wanted = sa.select(Playbook).where(listing.like(Playbook.title), listing.still_there(Playbook.discarded_at))
    if tenant is not None:
        wanted = wanted.where(Playbook.tenant_id == tenant)

    async def shaped(playbooks: Sequence[Playbook]) -> list[PlaybookLine]:
        tenants = await tenants_named(session, [each.tenant_id for each in playbooks])
        return [
            PlaybookLine(
                each.id, tenants.get(each.tenant_id), each.title, each.version, each.created_at, each.discarded_at
            )
            for each in playbooks
        ]

    return await page(session, wanted, {"id": Playbook.id, "title": Playbook.title}, listing, shaped, sort="title")


@reads("/playbooks/{playbook_id:int}", may=SEE, summary="Show a playbook")
async def show_playbook(session: Session, playbook_id: PathId) -> PlaybookShape:
    """The playbook with its newest text."""
    return await _shape(session, await find_playbook(session, playbook_id))


@reads("/playbooks/{playbook_id:int}/versions", may=SEE, summary="List a playbook's versions")
async def list_versions(session: Session, listing: Asking, playbook_id: PathId) -> Listed[VersionShape]:
    """Every version, newest first. `q` looks at titles and notes."""
    playbook, version = await find_playbook(session, playbook_id), PlaybookVersion
    wanted = sa.select(version).where(version.playbook_id == playbook.id, listing.like(version.title, version.note))

    async def shaped(versions: Sequence[PlaybookVersion]) -> list[VersionShape]:
        return [_version(each) for each in versions]

    columns = {"id": version.id, "number": version.number}
    return await page(session, wanted, columns, listing, shaped, sort="-number")


@reads("/playbooks/{playbook_id:int}/versions/{number:int}", may=SEE, summary="Show a version")
async def show_version(session: Session, playbook_id: PathId, number: PathId) -> VersionShape:
    """One version as it was written."""
    playbook = await find_playbook(session, playbook_id)
    return _version(await find_version(session, playbook.id, number))


@creates("/playbooks", may=EDIT, outlives=False, summary="Write a playbook")
async def create_playbook(request: Asked, session: Session, data: JSONBody[NewPlaybook]) -> PlaybookShape:
    """A new playbook with its first version."""
    tenant = await find_tenant(session, data.tenant)
    made = await Playbook.write(session, acting(request), tenant, data.title, data.body, data.note, request.user.now)
    return await _shape(session, made)


@alters("/playbooks/{playbook_id:int}", may=EDIT, outlives=False, summary="Write a new version")
async def revise_playbook(
    request: Asked, session: Session, playbook_id: PathId, data: JSONBody[PlaybookChange]
) -> PlaybookShape:
    """What is left out stays as it is in the newest version."""
    playbook = await find_playbook(session, playbook_id)
    newest = await find_version(session, playbook.id, playbook.version)
    title = playbook.title if data.title is None else data.title
    body = newest.body if data.body is None else data.body
    await playbook.revise(session, acting(request), title, body, data.note, request.user.now, seen=data.version)
    return await _shape(session, playbook)


@creates("/playbooks/{playbook_id:int}/restore", may=EDIT, outlives=False, summary="Restore a version", status=200)
async def restore_playbook(
    request: Asked, session: Session, playbook_id: PathId, data: JSONBody[Restored]
) -> PlaybookShape:
    """An older version's text as a new version."""
    playbook = await find_playbook(session, playbook_id)
    await playbook.restore(session, acting(request), data.version, request.user.now, seen=playbook.version)
    return await _shape(session, playbook)


@creates("/playbooks/{playbook_id:int}/discard", may=EDIT, outlives=False, summary="Discard a playbook", status=200)
async def discard_playbook(request: Asked, session: Session, playbook_id: PathId) -> PlaybookShape:
    """Out of use; every version stays."""
    playbook = await find_playbook(session, playbook_id)
    await playbook.discard(session, request.user.now)
    return await _shape(session, playbook)


@creates(
    "/playbooks/{playbook_id:int}/undiscard", may=EDIT, outlives=False, summary="Bring a playbook back", status=200
)
async def undiscard_playbook(request: Asked, session: Session, playbook_id: PathId) -> PlaybookShape:
    """In use again."""
    playbook = await find_playbook(session, playbook_id)
    await playbook.undiscard(session)
    return await _shape(session, playbook)


async def _shape(session: AsyncSession, playbook: Playbook) -> PlaybookShape:
    tenants = await tenants_named(session, [playbook.tenant_id])
    newest = await find_version(session, playbook.id, playbook.version)
    return PlaybookShape(
        playbook.id,
        tenants.get(playbook.tenant_id),
        playbook.title,
        playbook.version,
        newest.body,
        playbook.created_at,
        playbook.discarded_at,
    )


def _version(version: PlaybookVersion) -> VersionShape:
    return VersionShape(
        version.number,
        version.title,
        version.body,
        version.note,
        version.author_name,
        version.restored_from,
        version.created_at,
    )


ROUTES = [
    list_playbooks,
    show_playbook,
    list_versions,
    show_version,
    create_playbook,
    revise_playbook,
    restore_playbook,
    discard_playbook,
    undiscard_playbook,
]
