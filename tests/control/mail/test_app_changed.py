"""When an app leads elsewhere, every tenant whose people use it is told by letter."""

from datetime import timedelta

import pytest

from bindings.apps import App
from bindings.login import Login
from tests.cast import house_work
from tests.control.mail.conftest import Outbox
from tests.control.mail.post_office import PostOffice, part
from tests.control.pages.visit import Panel, Visit, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


async def logged_in(outbox: Outbox, name: str, tenant: str, days_ago: int, app: str = "softphone") -> None:
    """Somebody of a tenant logged in to an app so many days ago."""
    cast, when = outbox.cast, outbox.clock.now - timedelta(days=days_ago)
    member = cast.membership_id(name, at=tenant)
    async with house_work(outbox.house.store, outbox.clock.now) as session:
        session.add(
            Login(
                id=f"{name}-{tenant}-{days_ago}"[:32],
                app_id=cast.app_id(app),
                user_id=cast.user(name).id,
                actor_membership_id=member,
                subject_membership_id=member,
                tenant_id=cast.tenant(tenant).id,
                because="own",
                scope="openid",
                auth_time=when,
                methods=["pwd"],
                created_at=when,
            )
        )


async def address_of(panel: Panel, name: str) -> str:
    """An address of the softphone as it stands."""
    async with house_work(panel.store, panel.clock.now) as session:
        return getattr(await session.get_one(App, panel.cast.app_id("softphone")), name) or ""


async def change(panel: Panel, **fields: str) -> Visit:
    """Ada changes the softphone on its page."""
    ada = await panel.visit("Ada", f"/apps/{panel.cast.app_id('softphone')}")
    said = {
        "name": "Softphone",
        "redirect_uris": "http://softphone.localhost:8001/callback",
        "post_logout_redirect_uris": "http://softphone.localhost:8001/",
        "login_uri": "http://softphone.localhost:8001/login",
        "handoff_uri": await address_of(panel, "handoff_uri"),
        "backchannel_logout_uri": await address_of(panel, "backchannel_logout_uri"),
    } | fields
    await ada.follow(await ada.send(f"/apps/{panel.cast.app_id('softphone')}", said))
    return ada


async def test_the_admins_of_who_uses_it_are_told_and_nobody_else(
    panel: Panel, outbox: Outbox, office: PostOffice
) -> None:
    await logged_in(outbox, "Bea", "Bakery", 3)
    await logged_in(outbox, "Dan", "Dairy", 89)
    await logged_in(outbox, "Cora", "Clinic", 91)
    await logged_in(outbox, "Zoe", "Zoo", 1, app="desk-client")
    ada = await change(panel, login_uri="http://softphone.localhost:8001/elsewhere")
    assert "Saved. Admins told by letter: 2." in words(ada.shown)
    await outbox.send()
    # Dairy has no admin of its own: Pia of Pine speaks for it.
    assert sorted(str(came["To"]).rpartition("<")[2] for came in office.came) == [
        "boris@bakery.example>",
        "pia@pine.example>",
    ]
    said = " ".join(part(office.came[0], "plain").split())
    assert "changed the app Softphone, which people of your organization use: where a login begins." in said
    assert f"/apps/{panel.cast.app_id('softphone')}" in said


async def test_who_is_told_of_logouts_from_now_on_is_told_as_well(
    panel: Panel, outbox: Outbox, office: PostOffice
) -> None:
    await logged_in(outbox, "Bea", "Bakery", 3)
    await change(panel, backchannel_logout_uri="https://elsewhere.example/logout", handoff_uri="")
    await outbox.send()
    said = " ".join(part(office.one(), "plain").split())
    assert "where an impersonation is opened, where the app is told of logouts" in said


async def test_a_new_name_is_nobodys_business(panel: Panel, outbox: Outbox, office: PostOffice) -> None:
    await logged_in(outbox, "Bea", "Bakery", 3)
    ada = await change(panel, name="Phone")
    assert "Saved." in words(ada.shown)
    assert await outbox.send() == 0


async def test_a_change_that_is_refused_writes_to_nobody(panel: Panel, outbox: Outbox) -> None:
    await logged_in(outbox, "Bea", "Bakery", 3)
    ada = await panel.visit("Ada", f"/apps/{panel.cast.app_id('softphone')}")
    answer = await ada.send(
        f"/apps/{panel.cast.app_id('softphone')}", {"name": "Softphone", "redirect_uris": "javascript:alert(1)"}
    )
    assert answer.status_code == 422
    assert await outbox.send() == 0
