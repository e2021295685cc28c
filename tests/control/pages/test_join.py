"""Invitations from the form to the new colleague: who may come in, by which link, and when it no longer holds."""

import re
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from bindings import endings
from tenants.actor import Actor, Identity
from tenants.api_keys import ApiKey
from tenants.credentials import hash_password, verify_password
from tenants.identities import live_identities
from tenants.invitations import MOST_AN_HOUR, Invitation
from tenants.letters import LetterKind
from tenants.people import Membership, User, find_membership
from tenants.phones import Extension
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.trail import Entry, record
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, PASSWORD, house_work, work_as
from tests.control.pages.post import letters_to, link_to, newest_to
from tests.control.pages.visit import Panel, Visit, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

NICK = "nick@new.example"
SECRET = "a long enough password"
GONE = "This link cannot be used"
VOID = "This invitation no longer holds"


async def invite(panel: Panel, by: str, email: str = NICK, tenant: str = "Bakery", **fields: str) -> httpx.Response:
    """Somebody fills in "New user"."""
    visit = await panel.visit(by, "/users/new")
    where = str(panel.cast.tenant(tenant).id)
    return await visit.send(
        "/users/new", {"name": "Nick New", "email": email, "tenant": where, "role": "member"} | fields
    )


async def letter(panel: Panel, email: str = NICK) -> str:
    """The path of the link in the newest letter of invitation."""
    return await link_to(panel, email, LetterKind.INVITATION)


async def come(panel: Panel, path: str, **fields: str) -> tuple[Visit, httpx.Response]:
    """A stranger opens a link, fills in what is asked, and is where it led."""
    visit = panel.stranger()
    await visit.open(path)
    if not visit.hidden("_csrf_token"):
        await visit.open("/forgot")  # No form there; whoever sends one all the same has its token from another page.
    answer = await visit.send(path, {"name": "Nick Nolan", "password": SECRET} | fields)
    return visit, answer


async def places_of(panel: Panel, email: str) -> dict[str, str]:
    """Where somebody is, and as what."""
    async with house_work(panel.store) as session:
        rows = await session.execute(
            sa.select(Tenant.name, Membership.role)
            .join(Membership, Membership.tenant_id == Tenant.id)
            .join(User, User.id == Membership.user_id)
            .where(User.email == email, Membership.discarded_at.is_(None))
        )
        return dict(rows.tuples().all())


async def newest(panel: Panel) -> int:
    """The number of the newest invitation."""
    async with house_work(panel.store) as session:
        return (await session.execute(sa.select(sa.func.max(Invitation.id)))).scalar_one()


async def told(panel: Panel, verb: Verb) -> list[Entry]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb.value).order_by(Entry.id)))


# The way in


async def test_nick_is_invited_with_an_extension_and_comes_in(panel: Panel) -> None:
    answer = await invite(panel, "Olaf", extension="203")
    assert answer.status_code == 303
    said = await newest_to(panel, NICK, LetterKind.INVITATION)
    assert (said["tenant"], said["role"], said["extension"]) == ("Bakery", "member", "203, Bakery PBX")
    nick, joined = await come(panel, await letter(panel))
    assert joined.headers["location"] == "/account/second-factor"
    assert "Nick Nolan" in words(await nick.open("/account"))
    async with house_work(panel.store) as session:
        user = (await session.scalars(sa.select(User).where(User.email == NICK))).one()
        [membership] = await session.scalars(sa.select(Membership).where(Membership.user_id == user.id))
        line = await session.get_one(Extension, panel.cast.extension("Bakery", "203").id)
    assert (user.name, user.email_verified_at, user.home_tenant_id) == (
        "Nick Nolan", NOW, panel.cast.tenant("Bakery").id,
    )  # fmt: skip
    assert (membership.role, membership.role_given_by_id) == ("member", panel.cast.membership_id("Olaf"))
    assert line.membership_id == membership.id
    [entry] = await told(panel, Verb.INVITATION_ACCEPTED)
    assert (entry.actor_name, entry.tenant_id) == ("Nick Nolan", panel.cast.tenant("Bakery").id)
    signed_in = await panel.stranger().sign_in(NICK, SECRET)
    assert signed_in.status_code == 303


async def test_one_letter_offers_two_companies_and_bruno_has_only_his_own(panel: Panel) -> None:
    clinic = str(panel.cast.tenant("Clinic").id)
    more = await invite(panel, "Olaf", more="1")
    assert (more.status_code, 'name="tenant-2"' in more.text) == (200, True)
    assert await letters_to(panel, NICK) == []
    await invite(panel, "Olaf", **{"places": "2", "tenant-2": clinic, "role-2": "admin"})
    [(_kind, said)] = await letters_to(panel, NICK)
    assert (said["tenant"], said["role"]) == ("Bakery, Clinic", "member, admin")
    await come(panel, await letter(panel))
    assert await places_of(panel, NICK) == {"Bakery": "member", "Clinic": "admin"}
    bruno = await invite(panel, "Bruno", "two@new.example", **{"places": "2", "tenant-2": clinic, "role-2": "member"})
    assert bruno.status_code == 404
    assert await letters_to(panel, "two@new.example") == []


async def test_a_place_chosen_twice_or_an_extension_that_is_not_free_is_named(panel: Panel) -> None:
    here = str(panel.cast.tenant("Bakery").id)
    twice = await invite(panel, "Olaf", **{"places": "2", "tenant-2": here, "role-2": "member"})
    assert (twice.status_code, "Bakery is chosen twice." in words(twice)) == (422, True)
    taken = await invite(panel, "Olaf", extension="201")
    assert (taken.status_code, "Extension 201 belongs to somebody already." in words(taken)) == (422, True)
    assert (await invite(panel, "Olaf", extension="999")).status_code == 422
    assert await letters_to(panel, NICK) == []


async def test_opening_the_link_spends_nothing_and_using_it_twice_is_410(panel: Panel) -> None:
    await invite(panel, "Olaf")
    path = await letter(panel)
    for _scanner in range(3):
        assert (await panel.stranger().open(path)).status_code == 200
    assert (await come(panel, path))[1].status_code == 303
    again = await panel.stranger().open(path)
    assert (again.status_code, GONE in words(again)) == (410, True)
    assert (await come(panel, path))[1].status_code == 410


@pytest.mark.parametrize(
    ("fields", "field"), [({"name": " "}, "name"), ({"password": "short"}, "password"), ({"name": "a\u202eb"}, "name")]
)
async def test_what_is_wrong_is_told_and_the_link_stays_good(panel: Panel, fields: dict[str, str], field: str) -> None:
    await invite(panel, "Olaf")
    path = await letter(panel)
    _, answer = await come(panel, path, **fields)
    assert (answer.status_code, f'id="error-{field}"' in answer.text) == (422, True)
    assert (await come(panel, path))[1].status_code == 303


async def test_ada_is_known_elsewhere_and_joins_by_signing_in(panel: Panel) -> None:
    unknown, known = await invite(panel, "Olaf"), await invite(panel, "Olaf", "zoe@zoo.example")
    assert (unknown.status_code, unknown.headers["location"]) == (known.status_code, known.headers["location"])
    path = await letter(panel, "zoe@zoo.example")
    asked = words(await panel.stranger().open(path))
    assert "sign in as zoe@zoo.example" in asked
    _, refused = await come(panel, path)
    assert (refused.status_code, await places_of(panel, "zoe@zoo.example")) == (200, {"Zoo": "member"})
    bea = await panel.visit("Bea")
    elsewhere = await bea.open(path)
    assert (elsewhere.status_code, "zoe" in words(elsewhere)) == (403, False)
    zoe = await panel.visit("Zoe", path)
    assert "Join Bakery" in words(zoe.shown)
    assert (await zoe.send(path)).status_code == 303
    assert await places_of(panel, "zoe@zoo.example") == {"Zoo": "member", "Bakery": "member"}
    assert (await zoe.send(path)).status_code == 410


# Links: sent again, copied, taken back


async def test_a_letter_sent_again_holds_another_link_and_seven_days(panel: Panel) -> None:
    await invite(panel, "Olaf")
    first, number = await letter(panel), await newest(panel)
    panel.clock.pass_(days=6)
    olaf = await panel.visit("Olaf", "/invitations")
    assert (await olaf.send(f"/invitations/{number}/resend")).status_code == 303
    second = await letter(panel)
    assert (await panel.stranger().open(first)).status_code == 410
    panel.clock.pass_(days=6, hours=23)
    assert (await panel.stranger().open(second)).status_code == 200
    panel.clock.pass_(hours=1)
    assert (await panel.stranger().open(second)).status_code == 410
    olaf = await panel.visit("Olaf", "/invitations")
    assert "Expired" in words(olaf.shown)


async def test_one_of_two_in_a_letter_is_taken_back_and_the_other_holds(panel: Panel) -> None:
    clinic = str(panel.cast.tenant("Clinic").id)
    await invite(panel, "Olaf", **{"places": "2", "tenant-2": clinic, "role-2": "member"})
    clara = await panel.visit("Clara", "/invitations")
    assert (await clara.send(f"/invitations/{await newest(panel)}/revoke")).status_code == 303
    await come(panel, await letter(panel))
    assert await places_of(panel, NICK) == {"Bakery": "member"}


async def test_bruno_sends_nothing_again_that_he_could_not_have_sent(panel: Panel) -> None:
    await invite(panel, "Olaf", role="admin")
    number, bruno = await newest(panel), await panel.visit("Bruno", "/invitations")
    for act in ("resend", "link", "revoke"):
        assert (await bruno.send(f"/invitations/{number}/{act}")).status_code == 403
    elsa = await panel.visit("Elsa")
    for act in ("resend", "link", "revoke"):
        assert (await elsa.send(f"/invitations/{number}/{act}")).status_code == 404


async def test_after_three_hundred_letters_in_an_hour_one_waits(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.invitations.MOST_AN_HOUR", 2)
    assert MOST_AN_HOUR == 300
    assert (await invite(panel, "Olaf", "one@new.example")).status_code == 303
    assert (await invite(panel, "Olaf", "two@new.example")).status_code == 303
    assert (await invite(panel, "Olaf", "three@new.example")).status_code == 429
    assert (await invite(panel, "Boris", "three@new.example")).status_code == 303
    panel.clock.pass_(hours=1)
    assert (await invite(panel, "Olaf", "four@new.example")).status_code == 303


async def copied(panel: Panel, by: str) -> str:
    """The path of the link that somebody copied."""
    visit = await panel.visit(by, "/invitations")
    shown = await visit.send(f"/invitations/{await newest(panel)}/link")
    found = re.search(r'id="invitation-link" readonly value="([^"]*)"', shown.text)
    assert found is not None
    return urlsplit(unescape(found[1])).path


async def test_c2_a_copied_link_makes_nobody_and_tells_nothing(panel: Panel) -> None:
    """Bruno invites omar@oak.example and Zoe, copies the links, and tries to be either."""
    seen = []
    for email in ("omar@oak.example", "zoe@zoo.example"):
        await invite(panel, "Bruno", email)
        path = await copied(panel, "Bruno")
        stranger, answer = await come(panel, path)
        seen.append((answer.status_code, words(answer).replace(email, "…")))
        panel.clock.pass_(minutes=16)
        sent = await stranger.send(f"{path}/letter")
        seen.append((sent.status_code, words(sent).replace(email, "…")))
        assert len([each for each, _said in await letters_to(panel, email) if each is LetterKind.INVITATION]) == 2
    assert seen[:2] == seen[2:]
    assert await places_of(panel, "omar@oak.example") == {}
    await invite(panel, "Olaf", "omar@oak.example", "Oak", role="operator")
    await come(panel, await letter(panel, "omar@oak.example"))
    assert await places_of(panel, "omar@oak.example") == {"Oak": "operator"}


async def test_who_is_signed_in_joins_by_a_copied_link(panel: Panel) -> None:
    await invite(panel, "Bruno", "zoe@zoo.example")
    path = await copied(panel, "Bruno")
    zoe = await panel.visit("Zoe", path)
    assert (await zoe.send(path)).status_code == 303
    assert (await places_of(panel, "zoe@zoo.example"))["Bakery"] == "member"
    assert (await zoe.open(path)).status_code == 410
    bruno = await panel.visit("Bruno")
    assert (await bruno.open(path)).status_code == 410


async def test_c2_the_first_letter_ends_whatever_was_used_before_it(panel: Panel) -> None:
    """Somebody made a record with Omar's address, a password, a sign-in, a key and a binding, and proved nothing."""
    cast, now = panel.cast, panel.clock.now
    async with house_work(panel.store) as session:
        oak = await session.get_one(Tenant, cast.tenant("Oak").id)
        omar = await User.create(session, oak, "Omar", "omar@oak.example", now)
        omar.password_hash = await hash_password("known to Bruno")
        record(session, Verb.PASSWORD_CHANGED, omar)
        there = await Membership.create(session, Actor.house("story"), omar, oak, Role.OPERATOR, now)
    identity = await identity_of(panel, there.id)
    async with house_work(panel.store) as session:
        _row, cookie = await SignIn.start(session, identity, ORIGIN, "Bruno's browser", now)
    async with work_as(panel.store, Actor.of(identity)) as session:
        membership = await find_membership(session, there.id)
        await ApiKey.make(session, membership, "Bruno's", ["read"], 90, now)
    await invite(panel, "Ada", "omar@oak.example", "South")
    _, answer = await come(panel, await letter(panel, "omar@oak.example"), name="Omar Odeh")
    assert answer.status_code == 303
    bruno = panel.stranger()
    bruno.secret = cookie
    assert (await bruno.open("/account")).status_code == 303
    assert (await panel.stranger().sign_in("omar@oak.example", "known to Bruno")).status_code == 422
    assert (await panel.stranger().sign_in("omar@oak.example", SECRET)).status_code == 303
    async with house_work(panel.store) as session:
        keys = await session.scalars(sa.select(ApiKey.revoked_at).where(ApiKey.membership_id == there.id))
        assert all(keys)


async def identity_of(panel: Panel, membership_id: int) -> Identity:
    async with house_work(panel.store) as session:
        [identity] = await live_identities(session, membership_id=membership_id)
        return identity


# When it no longer holds


async def test_c16_what_olaf_sent_is_worth_nothing_when_he_is_gone(panel: Panel) -> None:
    await invite(panel, "Olaf")
    path = await letter(panel)
    async with work_as(panel.store, panel.cast.actor("Nora")) as session:
        olaf = await session.get_one(User, panel.cast.user("Olaf").id)
        await endings.discard_user(session, panel.cast.actor("Nora"), olaf, NOW)
    opened = await panel.stranger().open(path)
    assert (opened.status_code, VOID in words(opened)) == (403, True)
    assert (await come(panel, path))[1].status_code == 403
    assert await places_of(panel, NICK) == {}
    async with work_as(panel.store, panel.cast.actor("Boris")) as session:
        assert await session.get(Invitation, await newest(panel)) is not None
    boris = await panel.visit("Boris", "/invitations")
    assert (await boris.send(f"/invitations/{await newest(panel)}/resend")).status_code == 303
    assert (await come(panel, await letter(panel)))[1].status_code == 303, "Boris stands behind it now"


async def test_c16_what_boris_sent_as_admin_does_not_hold_when_he_is_a_member(panel: Panel) -> None:
    await invite(panel, "Boris", role="admin")
    async with work_as(panel.store, panel.cast.actor("Olaf")) as session:
        boris = await session.get_one(Membership, panel.cast.membership_id("Boris"))
        await boris.change_role(session, panel.cast.actor("Olaf"), Role.SUPERVISOR, NOW)
    assert (await come(panel, await letter(panel)))[1].status_code == 403
    assert await places_of(panel, NICK) == {}


async def test_a_closed_company_takes_nobody_in(panel: Panel) -> None:
    await invite(panel, "Olaf")
    async with work_as(panel.store, panel.cast.actor("Olaf")) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        suspension = await bakery.suspend(session, panel.cast.actor("Olaf"), Scope.ALL, "unpaid", NOW)
    path = await letter(panel)
    assert (await come(panel, path))[1].status_code == 403
    async with work_as(panel.store, panel.cast.actor("Olaf")) as session:
        again = await session.get_one(type(suspension), suspension.id)
        await again.lift(session, panel.cast.actor("Olaf"), NOW)
    assert (await come(panel, path))[1].status_code == 303


async def test_whose_account_was_discarded_does_not_come_back_by_an_invitation(panel: Panel) -> None:
    async with work_as(panel.store, panel.cast.actor("Olaf")) as session:
        bea = await session.get_one(User, panel.cast.user("Bea").id)
        await endings.discard_user(session, panel.cast.actor("Olaf"), bea, NOW)
    await invite(panel, "Clara", "bea@bakery.example", "Clinic")
    opened = await panel.stranger().open(await letter(panel, "bea@bakery.example"))
    assert (opened.status_code, VOID in words(opened)) == (403, True)


@pytest.mark.parametrize(("ender", "comes_back"), [("Boris", True), ("Olaf", False)])
async def test_who_left_comes_back_as_far_as_the_inviter_may(panel: Panel, ender: str, comes_back: bool) -> None:
    """Ben's place at Bakery was ended; Boris invites him anew, as supervisor."""
    async with work_as(panel.store, panel.cast.actor(ender)) as session:
        ben = await session.get_one(Membership, panel.cast.membership_id("Ben", at="Bakery"))
        await endings.discard_membership(session, panel.cast.actor(ender), ben, NOW)
    await invite(panel, "Boris", "ben@bakery.example", role="supervisor")
    path = await letter(panel, "ben@bakery.example")
    visit = await panel.visit("Ben", path, at="Clinic")
    assert (await visit.send(path)).status_code == (303 if comes_back else 403)
    assert ((await places_of(panel, "ben@bakery.example")).get("Bakery") == "supervisor") is comes_back


async def test_who_has_no_place_left_comes_back_by_the_letter_and_a_new_password(panel: Panel) -> None:
    async with work_as(panel.store, panel.cast.actor("Boris")) as session:
        amos = await session.get_one(Membership, panel.cast.membership_id("Amos"))
        await endings.discard_membership(session, panel.cast.actor("Boris"), amos, NOW)
    await invite(panel, "Boris", "amos@bakery.example", role="auditor")
    _, answer = await come(panel, await letter(panel, "amos@bakery.example"), name="Amos Ames")
    assert answer.status_code == 303
    assert await places_of(panel, "amos@bakery.example") == {"Bakery": "auditor"}


async def test_a_letter_that_cannot_bring_amos_back_leaves_his_password_alone(panel: Panel) -> None:
    async with work_as(panel.store, panel.cast.actor("Olaf")) as session:
        amos = await session.get_one(Membership, panel.cast.membership_id("Amos"))
        await endings.discard_membership(session, panel.cast.actor("Olaf"), amos, NOW)
    await invite(panel, "Boris", "amos@bakery.example", role="auditor")
    _, answer = await come(panel, await letter(panel, "amos@bakery.example"))
    assert (answer.status_code, VOID in words(answer)) == (403, True)
    async with house_work(panel.store) as session:
        user = await session.get_one(User, panel.cast.user("Amos").id)
    assert (await verify_password(PASSWORD, user.password_hash))[0]


async def test_an_extension_that_went_to_somebody_else_is_told_and_stays_theirs(panel: Panel) -> None:
    await invite(panel, "Olaf", extension="203")
    async with work_as(panel.store, panel.cast.actor("Boris")) as session:
        line = await session.get_one(Extension, panel.cast.extension("Bakery", "203").id)
        ben = await session.get_one(Membership, panel.cast.membership_id("Ben", at="Bakery"))
        await line.change(session, membership=ben)
    nick, _ = await come(panel, await letter(panel))
    assert "Extension 203 was given to somebody else meanwhile." in words(await nick.open("/home"))
    assert await places_of(panel, NICK) == {"Bakery": "member"}
    [entry] = await told(panel, Verb.INVITATION_ACCEPTED)
    assert entry.details["extension_not_given"] == "203"


async def test_prepared_ones_are_sent_together_after_a_question(panel: Panel) -> None:
    boris = panel.cast.actor("Boris")
    async with work_as(panel.store, boris) as session:
        for number in range(3):
            await Invitation.prepare(
                session, boris, boris.standing.tenant_id, f"p{number}@new.example", "P", Role.MEMBER, NOW
            )
    visit = await panel.visit("Boris", "/invitations/send?q=p")
    assert "3 invitations were prepared and never sent." in words(visit.shown)
    assert (await visit.send("/invitations/send", {"q": "p0"})).status_code == 303
    assert len(await letters_to(panel, "p0@new.example")) == 1
    assert await letters_to(panel, "p1@new.example") == []
    said = words(await visit.follow(await visit.send("/invitations/send")))
    assert "Sent: 2." in said
    assert len(await letters_to(panel, "p1@new.example")) == 1


async def test_no_link_stands_in_the_history(panel: Panel) -> None:
    await invite(panel, "Olaf")
    path = await letter(panel)
    await copied(panel, "Olaf")
    await come(panel, path)
    secret = path.rpartition("/")[2].partition("-")[2]
    async with house_work(panel.store) as session:
        for entry in await session.scalars(sa.select(Entry)):
            assert secret not in str(vars(entry))
