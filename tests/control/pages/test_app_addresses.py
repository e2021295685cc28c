"""An app's page: where it is opened as somebody else, where it is told of logouts, and what it was told."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.login import Login
from control.settings import Settings
from control.writing.apps import require_sendable
from tenants.refusals import Invalid
from tests.cast import house_work
from tests.control.visits import House

FIELDS = {
    "name": "Wallboard",
    "type": "web",
    "client_id": "wallboard",
    "redirect_uris": "https://wall.example/callback",
}
HANDOFF, TOLD = "https://wall.example/handoff", "https://wall.example/logged-out"


async def registered(pages: House) -> App:
    ada = await pages.visit("Ada")
    await ada.post("/apps/new", at="/apps/new", status=200, handoff_uri=HANDOFF, backchannel_logout_uri=TOLD, **FIELDS)
    async with house_work(pages.store) as session:
        return (await session.scalars(sa.select(App).where(App.client_id == "wallboard"))).one()


async def ended(
    pages: House,
    name: str,
    ago: timedelta,
    told_at: datetime | None = None,
    error: str | None = None,
    tries: int = 0,
    *,
    tell: bool = True,
) -> str:
    """A login of somebody to the softphone that has ended so long ago."""
    cast, now = pages.cast, pages.clock.now
    who, sid = cast.identity(name), f"{name.lower()}{ago.seconds:08d}"
    async with house_work(pages.store, now) as session:
        session.add(
            Login(
                id=sid,
                app_id=cast.app_id("softphone"),
                user_id=who.user_id,
                actor_membership_id=who.membership_id,
                subject_membership_id=who.membership_id,
                tenant_id=who.tenant_id,
                because="own",
                scope="openid",
                auth_time=now,
                methods=["pwd"],
                created_at=now - timedelta(hours=1),
                ended_at=now - ago,
                tell=tell,
                told_at=told_at,
                tell_error=error,
                tell_tries=tries,
                tell_at=now + timedelta(minutes=1) if tries and told_at is None else None,
            )
        )
    return sid[:8]


async def test_ada_registers_an_app_with_both_addresses_and_changes_them(pages: House) -> None:
    app = await registered(pages)
    assert (app.handoff_uri, app.backchannel_logout_uri) == (HANDOFF, TOLD)
    ada = await pages.visit("Ada")
    page = await ada.get(f"/apps/{app.id}")
    assert f'value="{HANDOFF}"' in page
    assert f'value="{TOLD}"' in page
    path = f"/apps/{app.id}"
    await ada.post(path, at=path, name="Wallboard", redirect_uris=FIELDS["redirect_uris"], handoff_uri=HANDOFF)
    async with house_work(pages.store) as session:
        changed = await session.get_one(App, app.id)
    assert (changed.handoff_uri, changed.backchannel_logout_uri) == (HANDOFF, None)
    assert "Logout notice address" in await ada.read(f"/history?record=apps:{app.id}")


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("handoff_uri", "https://elsewhere.example/handoff"),
        ("handoff_uri", "javascript:alert(1)"),
        ("backchannel_logout_uri", "http://wall.example/logged-out"),
        ("backchannel_logout_uri", "https://192.168.1.1/logged-out"),
        ("backchannel_logout_uri", "https://[::ffff:10.0.0.1]/"),
        ("backchannel_logout_uri", "https://169.254.169.254/latest/meta-data"),
        ("backchannel_logout_uri", "javascript:alert(1)"),
    ],
)
async def test_an_address_that_is_not_its_own_or_nobodys_is_refused(pages: House, field: str, address: str) -> None:
    ada = await pages.visit("Ada")
    answer = await ada.post("/apps/new", at="/apps/new", status=422, **FIELDS, **{field: address})
    assert f'id="error-{field}"' in answer.text
    app = await registered(pages)
    said = {"name": "Wallboard", "redirect_uris": FIELDS["redirect_uris"], field: address}
    await ada.post(f"/apps/{app.id}", at=f"/apps/{app.id}", status=422, **said)


@pytest.mark.parametrize(
    "address", ["http://softphone.localhost:8001/", "https://localhost/", "http://127.0.0.1:8001/"]
)
def test_this_machine_is_told_of_logouts_in_the_demo_alone(pages: House, address: str) -> None:
    demo: Settings = pages.panel.app.state.house.settings
    require_sendable(demo, address, "backchannel_logout_uri")
    real = Settings(demo.database_url, demo.database_url, demo.data_dir, "https://panel.example", b"a key")
    with pytest.raises(Invalid) as refused:
        require_sendable(real, address, "backchannel_logout_uri")
    assert refused.value.field == "backchannel_logout_uri"


async def test_its_page_says_what_it_was_told_and_why_not(pages: House) -> None:
    now = pages.clock.now
    arrived = await ended(pages, "Bea", timedelta(seconds=5), told_at=now - timedelta(seconds=2), tries=1)
    waits = await ended(pages, "Ben", timedelta(seconds=20), error="time", tries=2)
    lost = await ended(pages, "Cora", timedelta(hours=2), told_at=now, error="status 503", tries=11)
    quiet = await ended(pages, "Zoe", timedelta(seconds=30), tell=False)
    said = await (await pages.visit("Ada")).read(f"/apps/{pages.cast.app_id('softphone')}")
    assert f"{arrived} 08:59:55 Acknowledged 08:59:58 1" in said
    assert f"{waits} 08:59:40 Waiting no answer in time, next try: 09:01:00 2" in said
    assert f"{lost} 07:00:00 Given up 09:00:00 status 503 11" in said
    assert quiet not in said


async def test_who_sees_the_app_sees_the_logouts_of_their_own_people(pages: House) -> None:
    bea, zoe = await ended(pages, "Bea", timedelta(seconds=5)), await ended(pages, "Zoe", timedelta(seconds=6))
    path = f"/apps/{pages.cast.app_id('softphone')}"
    of_olaf = await (await pages.visit("Olaf")).read(path)
    assert (bea in of_olaf, zoe in of_olaf) == (True, False)
    of_sven = await (await pages.visit("Sven")).read(path)
    assert (bea in of_sven, zoe in of_sven) == (False, True)
    assert "Logouts it was told of" not in await (await pages.visit("Pia")).read(path)
