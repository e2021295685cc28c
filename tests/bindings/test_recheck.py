"""Re-check: whatever changes a rule ends at once whoever stands in against it, with one line in history."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import Binding, staleness
from bindings.consenting import revoke_consent
from bindings.endings import discard_membership, suspend_tenant
from bindings.guard import Refused
from bindings.impersonation import Asked, Impersonation
from bindings.login import Login, start_login
from bindings.moving import CAUSE, move_tenant, what_moves
from bindings.reaping import ask_again, reap
from bindings.recheck import recheck
from bindings.resets import reset_access
from bindings.resolving import Because, Granted, Seen, resolve
from bindings.role_change import change_role
from tenants.consents import Consent
from tenants.people import Membership, User, find_membership
from tenants.protections import Word, tighten
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.teams import Team, TeamMember
from tenants.trail import Entry
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, WHY, Cast, bind, house_work, impersonate, work_as

HOUR = timedelta(hours=1)


async def rules(store: Store, cast: Cast, place: str = "Bakery", by: str = "Boris", **wanted: Word) -> None:
    """Somebody tightens the rules of a company, as the doors do."""
    await set_rules(store, cast, wanted, place, by)


async def set_rules(
    store: Store, cast: Cast, wanted: Mapping[str, Word], place: str = "Bakery", by: str = "Boris"
) -> None:
    """The same, with the rules in one piece."""
    async with work_as(store, cast.actor(by)) as session:
        tenant = await session.get_one(Tenant, cast.tenant(place).id)
        await tighten(session, tenant, wanted)
        await recheck(session, tenant, NOW)


async def at_the_softphone(store: Store, cast: Cast, actor: str, subject: str) -> int:
    """Somebody stands in for somebody at the softphone, and has it open."""
    number = await impersonate(store, cast, actor, subject, NOW, app="softphone")
    there = cast.identity(subject)
    async with house_work(store) as session:
        row = await session.get_one(Impersonation, number)
        seen = Seen(
            there.membership_id, there.user_id, there.name, there.tenant_id, there.tenant_name, there.path
        )  # fmt: skip
        sign_in, _ = await SignIn.start(session, cast.identity(actor), ORIGIN, "a browser", NOW)
        granted = Granted(cast.identity(actor), seen, Because.IMPERSONATION, None, row.ends_at, row)
        app = await session.get_one(App, cast.app_id("softphone"))
        await start_login(session, granted, app, sign_in, "openid", NOW)
    return number


async def exchanged(store: Store, cast: Cast, actor: str, subject: str) -> int:
    """Somebody's program holds a token as somebody."""
    acting = cast.actor(actor)
    async with work_as(store, acting) as session:
        there = await session.get_one(Membership, cast.membership_id(subject))
        row = await Impersonation.start(session, acting, there, Asked.of(WHY), NOW, kind="token", jti="a story")
        return row.id


async def end_of(store: Store, number: int) -> tuple[str | None, list[str], set[str | None]]:
    """Why one ended, what each line about its end says, and why its logins ended."""
    async with house_work(store) as session:
        row = await session.get_one(Impersonation, number)
        ends = [Verb.IMPERSONATION_ENDED, Verb.IMPERSONATION_STOPPED]
        wanted = sa.select(Entry).where(Entry.verb.in_(ends), Entry.record_id == str(number))
        told = [str(entry.details["cause"]) for entry in await session.scalars(wanted)]
        logins = sa.select(Login.ended_cause).where(Login.impersonation_id == number)
        return row.ended_cause, told, set(await session.scalars(logins))


GOES_ON: tuple[None, list[str], set[str | None]] = (None, [], set())
Standing = Callable[[Store, Cast, str, str], Awaitable[int]]


@pytest.mark.parametrize(
    "wanted",
    [
        {"stand_ins": "never"},
        {"stand_ins": "consent"},
        {"look": "look_only"},
        {"ticket": True},
        {"second_factor": True},
        {"minutes": 5},
        {"binding_reach": "layer"},
    ],
    ids=lambda each: next(iter(each)),
)
@pytest.mark.parametrize("standing", [impersonate, at_the_softphone, exchanged], ids=["panel", "app", "token"])
async def test_a_tighter_rule_ends_who_stands_in_against_it(
    store: Store, cast: Cast, standing: Standing, wanted: dict[str, Word]
) -> None:
    number = await standing(store, cast, "Olaf", "Bea")
    elsewhere = await impersonate(store, cast, "Opal", "Cora")
    await set_rules(store, cast, wanted)
    cause = "layer" if "binding_reach" in wanted else "policy"
    logins = {f"impersonation_{cause}"} if standing is at_the_softphone else set()
    assert await end_of(store, number) == (cause, [cause], logins)
    assert await end_of(store, elsewhere) == GOES_ON


async def test_who_only_looks_goes_on_where_looking_is_allowed(store: Store, cast: Cast) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea", mode="look")
    await rules(store, cast, look="look_only")
    assert await end_of(store, number) == GOES_ON


async def test_a_rule_of_oak_holds_at_bakery_at_once(store: Store, cast: Cast) -> None:
    number = await at_the_softphone(store, cast, "Olaf", "Bea")
    await rules(store, cast, "Oak", "Nora", stand_ins="consent")
    assert await end_of(store, number) == ("policy", ["policy"], {"impersonation_policy"})


async def test_the_line_says_whose_rule_it_was(store: Store, cast: Cast) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")
    await rules(store, cast, stand_ins="never")
    async with house_work(store) as session:
        wanted = sa.select(Entry).where(Entry.verb == Verb.IMPERSONATION_ENDED)
        [entry] = list(await session.scalars(wanted))
    assert (entry.actor_name, entry.subject_name, entry.stand_in_id) == ("Boris Birch", "Bea Bell", number)


async def test_what_ran_out_before_did_not_end_by_the_rule(store: Store, cast: Cast) -> None:
    """A tab that was never opened: it ended before the rule changed, and not because of that."""
    number = await impersonate(store, cast, "Olaf", "Bea", NOW - timedelta(minutes=10), app="softphone")
    await rules(store, cast, stand_ins="never")
    async with house_work(store) as session:
        await reap(session, NOW)
    assert await end_of(store, number) == ("tab_closed", ["tab_closed"], set())


async def test_asked_twice_it_is_told_once(store: Store, cast: Cast) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")
    for wanted in ("consent", "never"):
        await rules(store, cast, stand_ins=wanted)
    assert await end_of(store, number) == ("policy", ["policy"], set())


# Bindings


async def test_a_login_through_a_binding_ends_with_the_rule_and_the_binding_is_stale(store: Store, cast: Cast) -> None:
    """It stays, and says why: Olaf is told at his next login."""
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    async with house_work(store) as session:
        sign_in, _ = await SignIn.start(session, cast.identity("Olaf"), ORIGIN, "a browser", NOW)
    async with work_as(store, cast.actor("Olaf")) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        granted = await resolve(session, sign_in.user_id, app, NOW)
        assert isinstance(granted, Granted)
        await start_login(session, granted, app, sign_in, "openid", NOW)
    await rules(store, cast, stand_ins="never")
    async with house_work(store) as session:
        [login] = list(await session.scalars(sa.select(Login).where(Login.binding_id == number)))
        assert (login.ended_at, login.ended_cause) == (NOW, "stale_policy")
        binding = await session.get_one(Binding, number)
        assert binding.ended_at is None
        stale = await staleness(session, binding, NOW)
    assert stale is not None
    assert stale.rule == "policy"


async def test_ones_own_login_is_none_of_it(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        sign_in, _ = await SignIn.start(session, cast.identity("Bea"), ORIGIN, "a browser", NOW)
    async with work_as(store, cast.actor("Bea")) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        granted = await resolve(session, sign_in.user_id, app, NOW)
        assert isinstance(granted, Granted)
        await start_login(session, granted, app, sign_in, "openid", NOW)
    await rules(store, cast, stand_ins="never")
    async with house_work(store) as session:
        assert [login.ended_at for login in await session.scalars(sa.select(Login))] == [None]


# Consent


async def window(
    store: Store, cast: Cast, by: str, to: str, *, whole: bool = False, until: datetime = NOW + HOUR
) -> int:
    actor = cast.actor(by)
    async with work_as(store, actor) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        whom = None if whole else actor.standing.membership_id
        return (await Consent.grant(session, actor, bakery, whom, cast.tenant(to).id, until, NOW)).id


async def take_back(store: Store, cast: Cast, by: str, number: int) -> None:
    actor = cast.actor(by)
    async with work_as(store, actor) as session:
        await revoke_consent(session, actor, await session.get_one(Consent, number), NOW)


async def test_without_consent_olaf_is_refused_and_with_it_let_in(store: Store, cast: Cast) -> None:
    await rules(store, cast, stand_ins="consent")
    with pytest.raises(Refused) as refused:
        await impersonate(store, cast, "Olaf", "Bea")
    assert refused.value.rule == "policy"
    await window(store, cast, "Bea", "Oak")
    assert await impersonate(store, cast, "Olaf", "Bea")
    with pytest.raises(Refused):
        await impersonate(store, cast, "Opal", "Ben")
    with pytest.raises(Refused):
        await impersonate(store, cast, "Nora", "Bea")


@pytest.mark.parametrize("whole", [False, True], ids=["her own", "the company's"])
@pytest.mark.parametrize("standing", [impersonate, at_the_softphone, exchanged], ids=["panel", "app", "token"])
async def test_consent_taken_back_ends_it_at_once(store: Store, cast: Cast, standing: Standing, whole: bool) -> None:
    await rules(store, cast, stand_ins="consent")
    number = await window(store, cast, "Boris" if whole else "Bea", "Oak", whole=whole)
    stand = await standing(store, cast, "Olaf", "Bea")
    await take_back(store, cast, "Boris" if whole else "Bea", number)
    assert (await end_of(store, stand))[:2] == ("policy", ["policy"])


async def test_another_window_that_is_open_keeps_it_going(store: Store, cast: Cast) -> None:
    await rules(store, cast, stand_ins="consent")
    hers = await window(store, cast, "Bea", "Oak")
    await window(store, cast, "Boris", "Oak", whole=True)
    stand = await impersonate(store, cast, "Olaf", "Bea")
    await take_back(store, cast, "Bea", hers)
    assert await end_of(store, stand) == GOES_ON


async def test_a_window_that_runs_out_ends_it_at_the_next_use(store: Store, cast: Cast) -> None:
    await rules(store, cast, stand_ins="consent")
    await window(store, cast, "Bea", "Oak", until=NOW + timedelta(minutes=5))
    number = await impersonate(store, cast, "Olaf", "Bea")
    late = NOW + timedelta(minutes=5)
    async with house_work(store, late) as session:
        row = await session.get_one(Impersonation, number)
        assert (await row.refused(session, late - timedelta(seconds=1)))[0] is None
        refused, _ = await row.refused(session, late)
        assert refused is not None
        assert refused.rule == "policy"
        await ask_again(session, late)
    assert await end_of(store, number) == ("policy", ["policy"], set())


# A lead


async def led(session: AsyncSession, cast: Cast) -> TeamMember:
    wanted = sa.select(TeamMember).where(
        TeamMember.team_id == cast.teams["Front"], TeamMember.membership_id == cast.membership_id("Bruno")
    )
    return (await session.scalars(wanted)).one()


@pytest.mark.parametrize("how", ["no lead", "left", "bea left", "team discarded"])
async def test_bruno_as_bea_ends_with_his_lead(store: Store, cast: Cast, how: str) -> None:
    number = await at_the_softphone(store, cast, "Bruno", "Bea")
    boris = cast.actor("Boris")
    async with work_as(store, boris) as session:
        place = await led(session, cast)
        if how == "no lead":
            await place.set_lead(session, boris, lead=False)
        elif how == "left":
            await place.leave(session, NOW)
        elif how == "bea left":
            hers = sa.select(TeamMember).where(TeamMember.membership_id == cast.membership_id("Bea"))
            await (await session.scalars(hers)).one().leave(session, NOW)
        else:
            await (await session.get_one(Team, place.team_id)).discard(session, NOW)
        await recheck(session, await session.get_one(Tenant, place.tenant_id), NOW)
    assert await end_of(store, number) == ("permission", ["permission"], {"impersonation_permission"})


# What ends an impersonation ends a token and a login through it as well


async def suspended(session: AsyncSession, cast: Cast) -> None:
    bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
    await suspend_tenant(session, cast.actor("Ada"), bakery, Scope.STAFF, "unpaid since May", NOW)


async def demoted(session: AsyncSession, cast: Cast) -> None:
    opal = await find_membership(session, cast.membership_id("Opal"))
    await change_role(session, cast.actor("Ada"), opal, Role.AUDITOR, NOW)


async def discarded(session: AsyncSession, cast: Cast) -> None:
    await discard_membership(session, cast.actor("Ada"), await find_membership(session, cast.membership_id("Bea")), NOW)


async def reset(session: AsyncSession, cast: Cast) -> None:
    await reset_access(session, await session.get_one(User, cast.user("Bea").id), "password_reset", NOW)


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (suspended, "tenant_suspended"),
        (demoted, "rights_lost"),
        (discarded, "membership_discarded"),
        (reset, "password_reset"),
    ],
)
@pytest.mark.parametrize("standing", [at_the_softphone, exchanged], ids=["app", "token"])
async def test_a_token_and_a_login_end_with_what_ends_an_impersonation(
    store: Store,
    cast: Cast,
    standing: Standing,
    ending: Callable[[AsyncSession, Cast], Awaitable[None]],
    cause: str,
) -> None:
    number = await standing(store, cast, "Opal", "Bea")
    async with work_as(store, cast.actor("Ada")) as session:
        await ending(session, cast)
    ended, told, logins = await end_of(store, number)
    assert (ended, told) == (cause, [cause])
    assert None not in logins


@pytest.mark.parametrize("ending", [discarded, reset])
async def test_whom_somebody_let_in_is_out_when_they_are_discarded_or_reset(
    store: Store, cast: Cast, ending: Callable[[AsyncSession, Cast], Awaitable[None]]
) -> None:
    """Whoever had Bea's account may have let them in; undiscarding her opens nothing either."""
    hers, everybodys = await window(store, cast, "Bea", "Oak"), await window(store, cast, "Boris", "Oak", whole=True)
    async with work_as(store, cast.actor("Ada")) as session:
        await ending(session, cast)
    async with house_work(store) as session:
        over = [(await session.get_one(Consent, number)).revoked_at for number in (hers, everybodys)]
    assert over == [NOW, None]


# A move


async def test_windows_of_those_who_are_no_longer_above_are_cut(store: Store, cast: Cast) -> None:
    """Bakery goes to Elm: Oak's window and Olaf's digits are over; Acme's window, which is above still, is not."""
    oaks, acmes = await window(store, cast, "Bea", "Oak"), await window(store, cast, "Boris", "Acme", whole=True)
    async with work_as(store, cast.actor("Bea")) as session:
        digits = await Consent.offer(session, b"k" * 32, cast.actor("Bea"), NOW)
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        bea = await find_membership(session, cast.membership_id("Bea"))
        taken = await Consent.take(session, b"k" * 32, bea, olaf, digits, NOW)
        assert taken is not None
        olafs = taken.id
    async with work_as(store, cast.actor("Ada")) as session:
        bakery, elm = [await session.get_one(Tenant, cast.tenant(each).id) for each in ("Bakery", "Elm")]
        told = await what_moves(session, cast.actor("Ada"), bakery, elm, NOW)
        assert {cut.kind: (cut.count, cut.names) for cut in told.cuts}["consents"] == (2, ("Bea Bell", "Bea Bell"))
        await move_tenant(session, cast.actor("Ada"), bakery, elm, NOW)
    async with house_work(store) as session:
        over = [(await session.get_one(Consent, number)).revoked_at for number in (oaks, olafs, acmes)]
        lines = sa.select(Entry).where(Entry.verb == Verb.CONSENT_REVOKED)
        causes = [entry.details["cause"] for entry in await session.scalars(lines)]
    assert over == [NOW, NOW, None]
    assert causes == [CAUSE, CAUSE]
