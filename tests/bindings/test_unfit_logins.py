"""What an app, a licence or an extension let in ends with it: at once, with its line, and the app is to be told."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import unfit_logins
from bindings.apps import App, find_client
from bindings.handoff import hand_off
from bindings.impersonation import Impersonation, find_impersonation
from bindings.login import Login
from bindings.reaping import anything
from bindings.standing import by_login
from bindings.unfit_logins import LATE, NO_ADMIN, NO_LICENCE, OUT_OF_USE, REASSIGNED
from tenants.people import find_membership
from tenants.phones import Licence, PhoneSystem, Product, find_extension
from tenants.store import Store
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.bindings.test_logout_tokens import asks_to_be_told, due, logged_in, row_of
from tests.cast import Cast, bind, house_work, impersonate, work_as

Change = Callable[[AsyncSession, Cast, datetime], Awaitable[None]]


async def licence(session: AsyncSession, cast: Cast, product: str, number: str = "201") -> Licence:
    held = sa.select(Licence).join(Product, Product.id == Licence.product_id).where(Product.name == product)
    return (await session.scalars(held.where(Licence.extension_id == cast.extension("Bakery", number).id))).one()


async def take_back_softphone(session: AsyncSession, cast: Cast, now: datetime) -> None:
    await unfit_logins.withdraw_licence(session, await licence(session, cast, "Softphone"), now)


async def take_app_admin(session: AsyncSession, cast: Cast, now: datetime) -> None:
    await unfit_logins.set_app_admin(session, await licence(session, cast, "Desk"), False, now)


async def give_201_to_ben(session: AsyncSession, cast: Cast, now: datetime) -> None:
    ben = await find_membership(session, cast.membership_id("Ben", at="Bakery"))
    extension = await find_extension(session, cast.extension("Bakery", "201").id)
    await unfit_logins.change_extension(session, extension, now, membership=ben)


async def give_201_to_nobody(session: AsyncSession, cast: Cast, now: datetime) -> None:
    extension = await find_extension(session, cast.extension("Bakery", "201").id)
    await unfit_logins.change_extension(session, extension, now, membership=None)


async def rename_201(session: AsyncSession, cast: Cast, now: datetime) -> None:
    extension = await find_extension(session, cast.extension("Bakery", "201").id)
    await unfit_logins.change_extension(session, extension, now, name="Front desk")


async def discard_201(session: AsyncSession, cast: Cast, now: datetime) -> None:
    await unfit_logins.discard_extension(
        session, await find_extension(session, cast.extension("Bakery", "201").id), now
    )


async def discard_the_pbx(session: AsyncSession, cast: Cast, now: datetime) -> None:
    system = await session.get_one(PhoneSystem, cast.phone_system_id("Bakery"))
    await unfit_logins.discard_phone_system(session, system, now, with_extensions=True)


async def lines(store: Store, verb: Verb) -> list[Entry]:
    async with house_work(store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb.value).order_by(Entry.id)))


@pytest.mark.parametrize(
    ("change", "who", "app", "cause"),
    [
        (take_back_softphone, "Bea", "softphone", NO_LICENCE),
        (take_back_softphone, "Olaf", "softphone", NO_LICENCE),
        (take_back_softphone, "Bea", "desk-client", None),
        (take_back_softphone, "Ben", "softphone", None),
        (take_app_admin, "Bea", "desk-admin", NO_ADMIN),
        (take_app_admin, "Bea", "desk-client", None),
        (give_201_to_ben, "Bea", "softphone", REASSIGNED),
        (give_201_to_ben, "Olaf", "softphone", REASSIGNED),
        (give_201_to_ben, "Ben", "softphone", None),
        (give_201_to_nobody, "Bea", "desk-client", REASSIGNED),
        (rename_201, "Bea", "softphone", None),
        (discard_201, "Bea", "softphone", OUT_OF_USE),
        (discard_the_pbx, "Ben", "softphone", OUT_OF_USE),
    ],
)
async def test_what_let_a_login_in_takes_it_along(
    store: Store, cast: Cast, now: datetime, change: Change, who: str, app: str, cause: str | None
) -> None:
    """Olaf is bound to Bea: his login goes, with a line that says so, and his binding stays to be told of as stale."""
    await asks_to_be_told(store, cast, app)
    binding = await bind(store, cast, "Olaf", "Bakery", "201") if who == "Olaf" else None
    sid = await logged_in(store, cast, who, app)
    async with work_as(store, cast.actor("Boris"), now) as session:
        await change(session, cast, now)
    row = await row_of(store, sid)
    assert (row.ended_at, row.ended_cause) == ((now, cause) if cause else (None, None))
    assert await due(store) == ([sid] if cause else [])
    told = [each for each in await lines(store, Verb.LOGIN_ENDED) if each.details["sid"] == sid]
    if cause is None:
        assert told == []
        return
    [line] = told
    subject = cast.membership_id("Bea" if who == "Olaf" else who, at="Bakery")
    assert (line.actor_name, line.subject_membership_id, line.stand_in_id) == ("Boris Birch", subject, binding)
    assert line.details["cause"] == cause


@pytest.mark.parametrize(("change", "app"), [("licence", "softphone"), ("admin", "desk-admin")])
async def test_each_use_said_the_same_before(store: Store, cast: Cast, now: datetime, change: str, app: str) -> None:
    """The statement over many rows and the answer at each use are two texts of one rule."""
    sid = await logged_in(store, cast, "Bea", app)
    async with work_as(store, cast.actor("Boris"), now) as session:
        if change == "licence":
            await (await licence(session, cast, "Softphone")).withdraw(session, now)
        else:
            await (await licence(session, cast, "Desk")).set_app_admin(session, False)
    async with house_work(store, now) as session:
        standing = await by_login(session, app, sid, now)
        assert standing is not None
        assert standing.spell is not None
        client = await find_client(session, app)
        assert client is not None
        client.sweep_since = now
    await swept(store, now)
    assert (await row_of(store, sid)).ended_cause == standing.spell.over(now)


async def swept(store: Store, now: datetime) -> int:
    """Sweep until nothing is left to be done at once; how many transactions that took."""
    rounds = 0
    while True:
        rounds += 1
        async with house_work(store, now) as session:
            if not await unfit_logins.sweep(session, now):
                return rounds


async def is_left(store: Store, now: datetime) -> bool:
    async with store.hot.connect() as connection:
        return await anything(connection, now, guard=False)


async def test_a_discarded_apps_logins_end_a_batch_at_a_time_whoever_dies_between(
    store: Store, cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfit_logins, "BATCH", 2)
    await asks_to_be_told(store, cast)
    await bind(store, cast, "Olaf", "Bakery", "201")
    sids = [await logged_in(store, cast, name) for name in ("Bea", "Olaf", "Ben", "Pia", "Dan")]
    other = await logged_in(store, cast, "Bea", "desk-client")
    async with work_as(store, cast.actor("Ada"), now) as session:
        await unfit_logins.discard_app(session, await session.get_one(App, cast.app_id("softphone")), now)
    assert await due(store) == []
    async with house_work(store, now) as session:
        assert await unfit_logins.sweep(session, now)
    assert len(await due(store)) == 2

    async def killed() -> None:
        async with house_work(store, now) as session:
            await unfit_logins.sweep(session, now)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await killed()
    assert len(await due(store)) == 2
    assert await swept(store, now) == 2
    assert sorted(await due(store)) == sorted(sids)
    assert {(await row_of(store, sid)).ended_cause for sid in sids} == {"app_discarded"}
    assert (await row_of(store, other)).ended_at is None
    # It looks again for a while, for logins that were being made just then; then all of them are told of in one line.
    assert await is_left(store, now)
    await swept(store, now + LATE)
    assert not await is_left(store, now + LATE)
    [line] = await lines(store, Verb.LOGINS_SWEPT)
    assert (line.details["cause"], line.details["logins"]) == ("app_discarded", 4)
    [bound] = [line for line in await lines(store, Verb.LOGIN_ENDED) if line.stand_in_id is not None]
    assert (bound.details["cause"], bound.subject_name) == ("app_discarded", "Bea Bell")


async def test_an_app_that_asks_for_another_product_loses_those_without_it(
    store: Store, cast: Cast, now: datetime
) -> None:
    """Pete has the Softphone and no Desk; Bea has both."""
    await asks_to_be_told(store, cast)
    pete, bea = [await logged_in(store, cast, name) for name in ("Pete", "Bea")]
    async with work_as(store, cast.actor("Ada"), now) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        await unfit_logins.change_app(session, app, now, product_id=cast.product_id("Desk"))
    await swept(store, now)
    assert ((await row_of(store, pete)).ended_cause, (await row_of(store, bea)).ended_cause) == (NO_LICENCE, None)
    assert await due(store) == [pete]


async def test_a_new_name_sweeps_nothing(store: Store, cast: Cast, now: datetime) -> None:
    async with work_as(store, cast.actor("Ada"), now) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        await unfit_logins.change_app(session, app, now, name="Phone")
    assert not await is_left(store, now)


@pytest.mark.parametrize(("change", "cause"), [(take_back_softphone, "licence"), (give_201_to_ben, "reassigned")])
async def test_an_impersonation_that_was_opened_there_ends_with_its_line(
    store: Store, cast: Cast, now: datetime, change: Change, cause: str
) -> None:
    await asks_to_be_told(store, cast)
    olaf = cast.actor("Olaf")
    number = await impersonate(store, cast, "Olaf", "Bea", now, app="softphone")
    async with work_as(store, olaf, now) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        await hand_off(session, olaf, await find_impersonation(session, number), app, None, now)
    async with work_as(store, cast.actor("Boris"), now) as session:
        await change(session, cast, now)
    async with house_work(store, now) as session:
        row = await session.get_one(Impersonation, number)
        assert (row.ended_at, row.ended_cause) == (now, cause)
        login = (await session.scalars(sa.select(Login).where(Login.impersonation_id == number))).one()
        assert (login.ended_at, login.ended_cause) == (now, f"impersonation_{cause}")
    [line] = await lines(store, Verb.IMPERSONATION_ENDED)
    assert (line.details["cause"], line.subject_name) == (cause, "Bea Bell")
    assert await lines(store, Verb.LOGIN_ENDED) == []
    assert await due(store) == [login.id]
