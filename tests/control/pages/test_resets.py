"""A forgotten password: one letter, one link, one new password, and an end of everything that was open."""

import httpx
import pytest
import sqlalchemy as sa

from bindings.binding import Binding
from bindings.login import Login
from tenants.api_keys import ApiKey
from tenants.letters import LetterKind
from tenants.people import User, find_membership
from tenants.sign_in import SignIn
from tenants.trail import Entry, record
from tenants.verbs import Verb
from tests.cast import NOW, PASSWORD, bind, house_work, work_as
from tests.control.pages.post import letters_to, link_to, newest_to
from tests.control.pages.visit import Panel, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

DAN, NEW = "dan@dairy.example", "another long password"
RESET = LetterKind.PASSWORD_RESET


async def forget(panel: Panel, email: str, address: str = "192.0.2.7") -> httpx.Response:
    """Somebody says that they forgot their password."""
    visit = panel.stranger(address)
    await visit.open("/forgot")
    return await visit.send("/forgot", {"email": email})


async def set_new(panel: Panel, path: str, password: str = NEW) -> httpx.Response:
    """Somebody opens the letter's link and chooses a password."""
    visit = panel.stranger()
    await visit.open(path)
    if not visit.hidden("_csrf_token"):
        await visit.open("/forgot")
    return await visit.send(path, {"password": password})


async def test_dan_forgot_and_chooses_a_new_one_once(panel: Panel) -> None:
    assert (await forget(panel, "DAN@dairy.example")).status_code == 200
    path = await link_to(panel, DAN, RESET)
    for _scanner in range(2):
        assert (await panel.stranger().open(path)).status_code == 200
    assert (await set_new(panel, path, "short")).status_code == 422
    done = await set_new(panel, path)
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
    assert panel.cookie not in done.cookies, "nobody is signed in by a letter"
    assert (await panel.stranger().sign_in(DAN, PASSWORD)).status_code == 422
    assert (await panel.stranger().sign_in(DAN, NEW)).status_code == 303
    assert (await set_new(panel, path)).status_code == 410
    assert (await panel.stranger().open(path)).status_code == 410
    assert [kind for kind, _said in await letters_to(panel, DAN)] == [RESET, LetterKind.PASSWORD_CHANGED]


async def test_the_answer_is_the_same_for_nobody(panel: Panel) -> None:
    answers = [await forget(panel, email) for email in (DAN, "nobody@nowhere.example", "zoe@zoo.example")]
    shown = {(each.status_code, words(each).replace(str(each.request.url), "")) for each in answers}
    assert len({status for status, _text in shown}) == 1
    said = {
        text.replace(DAN, "…").replace("nobody@nowhere.example", "…").replace("zoe@zoo.example", "…")
        for _, text in shown
    }
    assert len(said) == 1
    assert await letters_to(panel, "nobody@nowhere.example") == []


@pytest.mark.parametrize("state", ["discarded", "unverified"])
async def test_nobody_who_is_discarded_or_unproven_is_written_to(panel: Panel, state: str) -> None:
    async with house_work(panel.store) as session:
        dan = await session.get_one(User, panel.cast.user("Dan").id)
        if state == "discarded":
            dan.discarded_at = NOW
        else:
            dan.email_verified_at = None
        record(session, Verb.USER_CHANGED, dan)
    assert (await forget(panel, DAN)).status_code == 200
    assert await letters_to(panel, DAN) == []


async def test_a_link_lives_an_hour_and_the_newest_is_the_one(panel: Panel) -> None:
    await forget(panel, DAN)
    first = await link_to(panel, DAN, RESET)
    panel.clock.pass_(minutes=1)
    await forget(panel, DAN)
    second = await link_to(panel, DAN, RESET)
    assert (await panel.stranger().open(first)).status_code == 410
    panel.clock.pass_(minutes=60)
    assert (await panel.stranger().open(second)).status_code == 410
    assert (await set_new(panel, second)).status_code == 410


async def test_a_flood_is_held_back_the_same_for_everybody(panel: Panel) -> None:
    for email in (DAN, "nobody@nowhere.example"):
        statuses = [(await forget(panel, email)).status_code for _each in range(6)]
        assert statuses == [200] * 5 + [429]
    assert len(await letters_to(panel, DAN)) == 5
    for number in range(12, 18):
        assert (await forget(panel, DAN, f"198.51.100.{number}")).status_code == 200
    assert len(await letters_to(panel, DAN)) == 5, "and one mailbox is not filled from many networks"
    assert (await panel.stranger().sign_in(DAN)).status_code == 303, "nobody is locked out by it"


async def test_a_reset_ends_everything_by_them_and_as_them_but_not_the_second_factor(panel: Panel) -> None:
    """T23: Pia is bound to Dan, Dan has a key and a browser, and a second factor."""
    cast, now = panel.cast, panel.clock.now
    to_dan = await bind(panel.store, cast, "Pia", "Dairy", "101")
    async with work_as(panel.store, cast.actor("Dan")) as session:
        await ApiKey.make(session, await find_membership(session, cast.membership_id("Dan")), "k", ["read"], 90, now)
    dan = await panel.visit("Dan")
    async with house_work(panel.store) as session:
        user = await session.get_one(User, cast.user("Dan").id)
        user.second_factor = True
        record(session, Verb.SECOND_FACTOR_ON, user)
    await forget(panel, DAN)
    await set_new(panel, await link_to(panel, DAN, RESET))
    assert (await dan.open("/account")).status_code == 303
    async with house_work(panel.store) as session:
        user = await session.get_one(User, cast.user("Dan").id)
        binding = await session.get_one(Binding, to_dan)
        keys = list(await session.scalars(sa.select(ApiKey.revoked_at).where(ApiKey.user_id == user.id)))
        open_ones = sa.select(sa.func.count()).select_from(SignIn)
        left = await session.scalar(open_ones.where(SignIn.user_id == user.id, SignIn.ended_at.is_(None)))
        logins = await session.scalar(sa.select(sa.func.count()).select_from(Login).where(Login.ended_at.is_(None)))
    assert (user.second_factor, binding.ended_cause, all(keys), left, logins) == (True, "password_reset", True, 0, 0)


# By an admin


async def test_b17_a_letter_goes_out_by_who_outranks_them_everywhere(panel: Panel) -> None:
    pia = await panel.visit("Pia", f"/users/{panel.cast.user('Dan').id}")
    assert "Send a password reset letter" in words(pia.shown)
    sent = await pia.send(f"/users/{panel.cast.user('Dan').id}/password-reset")
    assert sent.status_code == 303
    path = await link_to(panel, DAN, RESET)
    assert path not in sent.text + (await pia.follow(sent)).text
    assert (await newest_to(panel, DAN, RESET))["who"] == "Pia Pine"
    assert (await set_new(panel, path)).status_code == 303
    async with house_work(panel.store) as session:
        asked = sa.select(Entry).where(Entry.verb == Verb.PASSWORD_RESET_ASKED.value)
        [entry] = await session.scalars(asked)
    assert (entry.actor_name, entry.record_name) == ("Pia Pine", "Dan Dale")


@pytest.mark.parametrize(
    ("who", "whom", "status"),
    [
        ("Pia", "Ada", 404),
        ("Clara", "Ben", 403),
        ("Olaf", "Olaf", 403),
        ("Boris", "Bea", 303),
        ("Olaf", "Ben", 303),
        ("Paul", "Pete", 403),
        ("Ada", "Ada", 403),
    ],
)
async def test_b17_nobody_has_a_letter_sent_to_who_is_not_below(panel: Panel, who: str, whom: str, status: int) -> None:
    visit = await panel.visit(who)
    answer = await visit.send(f"/users/{panel.cast.user(whom).id}/password-reset")
    assert answer.status_code == status
    sent = await letters_to(panel, panel.cast.user(whom).email)
    assert len(sent) == (1 if status == 303 else 0)
