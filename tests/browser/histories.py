"""Histories: what a page's History says, and a company with all kinds of record that were changed."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Locator, Page, expect
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.endings import discard_membership
from tenants.actor import Actor
from tenants.numbers import InboundNumber
from tenants.people import Membership, User
from tenants.playbooks import Playbook
from tenants.recordings import Direction, Recording
from tenants.roles import Role
from tenants.store import Store
from tenants.tree import Kind, Tenant
from tests.browser.demo_process import Demo
from tests.cast import Cast, work_as

Change = tuple[str, str, str | None, str]
"""A sentence of history; a field, what it was and what it is."""


def line_of(page: Page, sentence: str) -> Locator:
    """The newest entry of history that says so."""
    return page.locator("ol.log > li").filter(has_text=sentence).first


async def expect_change(page: Page, sentence: str, field: str, before: str | None, after: str) -> None:
    """History has an entry that says so, with the field as it was and as it is."""
    change = line_of(page, sentence).locator(f"dt:text-is('{field}') + dd")
    await expect(change.locator("ins")).to_contain_text(after)
    if before is None:
        await expect(change).to_contain_text("empty")
    else:
        await expect(change.locator("del")).to_contain_text(before)


async def busy_day_of_nora(demo: Demo, cast: Cast) -> dict[str, list[Change]]:
    """She founds an organization with a company, and changes all there is in it; what each page's History tells."""
    store, now, nora = Store(demo.database), datetime.now(UTC), cast.actor("Nora")
    async with work_as(store, nora, now) as session:
        north = await session.get_one(Tenant, cast.tenant("North").id)
        rowan = await Tenant.found(session, north, Kind.RESELLER, "Rowan", None, now)
        florist = await Tenant.found(session, rowan, Kind.CUSTOMER, "Florist", None, now)
        await rowan.change(session, name="Rowan and Ash")
        await florist.change(session, zone="Europe/Dublin")
        told = {
            f"/companies/{rowan.id}/history": [("changed Rowan and Ash", "Name", "Rowan", "Rowan and Ash")],
            f"/companies/{florist.id}/history": [("changed Florist", "Time zone", "", "Europe/Dublin")],
        }
        for change in (change_a_person, change_a_number, change_a_recording, change_a_playbook):
            told |= await change(session, nora, florist, now)
    await store.close()
    return told


async def change_a_person(
    session: AsyncSession, nora: Actor, florist: Tenant, now: datetime
) -> dict[str, list[Change]]:
    """A user and their membership, from the first to the last."""
    fay = await User.create(session, florist, "Fay Finch", "fay@florist.example", now)
    place = await Membership.create(session, nora, fay, florist, Role.MEMBER, now)
    await place.change_role(session, nora, Role.SUPERVISOR, now)
    await fay.change(session, name="Fay Field")
    await discard_membership(session, nora, place, now)
    return {
        f"/users/{fay.id}/history": [
            ("changed the user Fay Field", "Name", "Fay Finch", "Fay Field"),
            ("added Fay Finch", "Role", None, "member"),
            ("changed the membership of Fay Finch", "Role", "member", "supervisor"),
            ("ended the membership of Fay Field", "Discarded", None, ""),
        ]
    }


async def change_a_number(session: AsyncSession, _: Actor, florist: Tenant, now: datetime) -> dict[str, list[Change]]:
    """An inbound number that is added, edited and taken out of use."""
    number = await InboundNumber.add(session, florist, "+442079460150", now, note="Shop")
    await number.change(session, note="Orders")
    await number.discard(session, now)
    return {
        f"/numbers/{number.id}/history": [
            ("added the number", "Note", None, "Shop"),
            ("changed the number", "Note", "Shop", "Orders"),
            ("discarded the number", "Discarded", None, ""),
        ]
    }


async def change_a_recording(
    session: AsyncSession, nora: Actor, florist: Tenant, now: datetime
) -> dict[str, list[Change]]:
    """A call recording that is updated after the fact."""
    call = await Recording.take_in(
        session,
        florist,
        now,
        external_id="florist-1",
        direction=Direction.IN,
        party="+442079460905",
        started_at=now - timedelta(hours=1),
        seconds=61,
    )
    await call.change(session, nora, disposition="sale")
    return {f"/recordings/{call.id}/history": [("changed the recording", "Disposition", None, "sale")]}


async def change_a_playbook(
    session: AsyncSession, nora: Actor, florist: Tenant, now: datetime
) -> dict[str, list[Change]]:
    """A playbook with another title."""
    book = await Playbook.write(session, nora, florist, "Roses", "Cut them.", "", now)
    await book.revise(session, nora, "Roses and tulips", "Cut them.", "", now, seen=1)
    told: Change = ("wrote a new version of the playbook", "Title", "Roses", "Roses and tulips")
    return {f"/playbooks/{book.id}": [told]}
