"""What a login gives, row by row of the table in product.md: whom the app sees, and the page when it sees nobody."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.binding import Binding
from bindings.login import Login, end_logins_of, last_seen_by, start_login
from bindings.resolving import Because, Granted, Notice, Step, remember_choice, resolve
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, Cast, bind, house_work, work_as

SOFTPHONE, CLIENT, ADMIN = "softphone", "desk-client", "desk-admin"


class Stage:
    """Where people log in, and what is arranged before they do."""

    def __init__(self, store: Store, cast: Cast) -> None:
        self.store, self.cast, self.apps = store, cast, dict(cast.apps)

    async def ask(self, name: str, app: str, **asked: Any) -> Granted | Notice:
        """Whom the app would see if `name` logged in now."""
        now = asked.pop("now", NOW)
        async with house_work(self.store, now) as session:
            client = await session.get_one(App, self.apps[app])
            return await resolve(session, self.cast.user(name).id, client, now, **asked)

    async def seen(self, name: str, app: str, **asked: Any) -> tuple[str, str | None, str]:
        """Whom the app sees, on which extension, and why."""
        given = await self.ask(name, app, **asked)
        assert isinstance(given, Granted), given
        return given.subject.name.split()[0], given.subject.number, given.because.value

    async def page(self, name: str, app: str, **asked: Any) -> Notice:
        """The page that is shown instead."""
        given = await self.ask(name, app, **asked)
        assert isinstance(given, Notice), given
        return given

    async def profile(self, name: str, at: str) -> Actor:
        """Somebody above makes their own profile in a company, and acts as it."""
        async with house_work(self.store) as session:
            row = Membership(
                user_id=self.cast.user(name).id,
                tenant_id=self.cast.tenant(at).id,
                role=Role.OPERATOR.value,
                sponsor_id=self.cast.membership_id(name),
                created_at=NOW,
            )
            session.add(row)
            record(session, Verb.MEMBERSHIP_CREATED, row)
        return self.cast.actor(name)

    async def line(self, tenant: str, number: str, *, name: str, products: tuple[str, ...]) -> int:
        """A new extension for somebody, with licences."""
        async with house_work(self.store) as session:
            place = self.cast.tenant(tenant)
            system = await session.get_one(PhoneSystem, self.cast.phone_system_id(tenant))
            wanted = sa.select(Membership).where(
                Membership.user_id == self.cast.user(name).id, Membership.tenant_id == place.id
            )
            member = (await session.scalars(wanted)).one()
            line = await Extension.create(session, system, number, NOW, membership=member)
            for product in products:
                await Licence.grant(session, line, await session.get_one(Product, self.cast.product_id(product)), NOW)
            return line.id

    async def withdraw(self, tenant: str, number: str, product: str) -> None:
        async with house_work(self.store) as session:
            wanted = sa.select(Licence).where(
                Licence.extension_id == self.cast.extension(tenant, number).id,
                Licence.product_id == self.cast.product_id(product),
            )
            await (await session.scalars(wanted)).one().withdraw(session, NOW)

    async def app(self, client_id: str, tenant: str, **needs: Any) -> None:
        """A company or reseller registers an app of its own."""
        async with house_work(self.store) as session:
            owner = await session.get_one(Tenant, self.cast.tenant(tenant).id)
            house = Actor.house("the story")
            uris = [f"https://{client_id}.example/callback"]
            app, _ = await App.register(
                session, house, owner, name=client_id, client_id=client_id, redirect_uris=uris, now=NOW, **needs
            )
            self.apps[client_id] = app.id

    async def log_in(self, name: str, app: str, **asked: Any) -> Login:
        given = await self.ask(name, app, **asked)
        assert isinstance(given, Granted), given
        async with house_work(self.store) as session:
            sign_in, _ = await SignIn.start(session, self.cast.identity(name), ORIGIN, "Firefox", NOW)
            client = await session.get_one(App, self.apps[app])
            return await start_login(session, given, client, sign_in, "openid", NOW)


@pytest.fixture
def stage(store: Store, cast: Cast) -> Stage:
    return Stage(store, cast)


# A live binding: the subject


async def test_pia_becomes_dan(stage: Stage, store: Store, cast: Cast) -> None:
    assert await stage.seen("Pia", SOFTPHONE) == ("Pia", "100", "own")
    await bind(store, cast, "Pia", "Dairy", "101")
    assert await stage.seen("Pia", SOFTPHONE) == ("Dan", "101", "binding")


async def test_released_she_is_herself_again(stage: Stage, store: Store, cast: Cast) -> None:
    """B1: and Dan never was anybody else."""
    number = await bind(store, cast, "Pia", "Dairy", "101")
    assert await stage.seen("Dan", SOFTPHONE) == ("Dan", "101", "own")
    async with work_as(store, cast.actor("Pia")) as session:
        await (await session.get_one(Binding, number)).release(session, cast.actor("Pia"), NOW)
    assert await stage.seen("Pia", SOFTPHONE) == ("Pia", "100", "own")


async def test_a_chosen_app_beats_every_app(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Olaf", "Bakery", "201")
    await bind(store, cast, "Olaf", "Clinic", "301", apps=[SOFTPHONE])
    assert await stage.seen("Olaf", SOFTPHONE) == ("Cora", "301", "binding")
    assert await stage.seen("Olaf", CLIENT) == ("Bea", "201", "binding")


async def test_as_myself_passes_over_it_and_ends_nothing(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Pia", "Dairy", "101")
    assert await stage.seen("Pia", SOFTPHONE, as_myself=True) == ("Pia", "100", "own")
    assert await stage.seen("Pia", SOFTPHONE) == ("Dan", "101", "binding")


async def test_it_gives_no_more_time_than_it_has(stage: Stage, store: Store, cast: Cast) -> None:
    ends_at = NOW + timedelta(hours=1)
    await bind(store, cast, "Pia", "Dairy", "101", ends_at=ends_at)
    given = await stage.ask("Pia", SOFTPHONE)
    assert isinstance(given, Granted)
    assert given.ends_at == ends_at
    assert given.actor.name == "Pia Pine"


async def test_elsas_profile_in_zoo_opens_as_zoe(stage: Stage, store: Store, cast: Cast) -> None:
    """Seed 000: she meets `layer`, makes her profile in Zoo, and is Zoe."""
    actor = await stage.profile("Elsa", at="Zoo")
    async with work_as(store, actor) as session:
        user = await session.get_one(User, cast.user("Elsa").id)
        line = await session.get_one(Extension, cast.extension("Zoo", "201").id)
        await Binding.make(session, actor, user, line, NOW)
    given = await stage.ask("Elsa", SOFTPHONE)
    assert isinstance(given, Granted)
    assert (given.subject.name, given.actor.shown_name) == ("Zoe Zeller", "Elsa Eden (Elm)")


# A stale one: a page that says why


async def test_a_stale_binding_is_a_page_and_never_a_new_target(stage: Stage, store: Store, cast: Cast) -> None:
    """T44, T46."""
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    async with house_work(store) as session:
        line = await session.get_one(Extension, cast.extension("Bakery", "201").id)
        await line.change(session, membership=await session.get_one(Membership, cast.membership_id("Ben")))
    page = await stage.page("Olaf", SOFTPHONE)
    assert (page.kind, page.error, page.rule) == ("stale", "interaction_required", "reassigned")
    assert page.binding is not None
    assert page.binding.id == number
    assert "201" in page.sentence


async def test_an_expired_one_says_so(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Pia", "Dairy", "101", ends_at=NOW + timedelta(hours=1))
    assert (await stage.page("Pia", SOFTPHONE, now=NOW + timedelta(hours=1))).rule == "expired"


async def test_asking_alone_ends_nothing(stage: Stage, store: Store, cast: Cast) -> None:
    """The page that rehearses a login may ask; what ends the binding is the login that meets it."""
    number = await bind(store, cast, "Pia", "Dairy", "101", ends_at=NOW + timedelta(hours=1))
    await stage.page("Pia", SOFTPHONE, now=NOW + timedelta(hours=1))
    async with house_work(store) as session:
        assert (await session.get_one(Binding, number)).ended_at is None


async def test_the_pinned_membership_must_be_live(stage: Stage, store: Store, cast: Cast) -> None:
    actor = await stage.profile("Elsa", at="Zoo")
    async with work_as(store, actor) as session:
        user = await session.get_one(User, cast.user("Elsa").id)
        await Binding.make(session, actor, user, await session.get_one(Extension, cast.extension("Zoo", "201").id), NOW)
    async with house_work(store) as session:
        row = (await session.scalars(sa.select(Membership).where(Membership.sponsor_id.is_not(None)))).one()
        row.discarded_at = NOW
        record(session, Verb.MEMBERSHIP_DISCARDED, row)
    assert (await stage.page("Elsa", SOFTPHONE)).rule == "live"


# One's own extension


@pytest.mark.parametrize(("name", "number"), [("Bea", "201"), ("Cora", "301"), ("Zoe", "201"), ("Pete", "101")])
async def test_everybody_is_themselves(stage: Stage, name: str, number: str) -> None:
    assert await stage.seen(name, SOFTPHONE) == (name, number, "own")


async def test_of_several_that_fit_one_is_chosen_and_remembered(stage: Stage, store: Store, cast: Cast) -> None:
    second = await stage.line("Clinic", "302", name="Ben", products=("Softphone",))
    page = await stage.page("Ben", SOFTPHONE)
    assert (page.kind, page.error) == ("choose", "interaction_required")
    assert [(seen.tenant_name, seen.number) for seen in page.choices] == [("Bakery", "202"), ("Clinic", "302")]
    given = await stage.ask("Ben", SOFTPHONE, chosen_extension_id=second)
    assert isinstance(given, Granted)
    assert (given.subject.number, given.actor.tenant_name) == ("302", "Clinic")
    async with house_work(store) as session:
        client = await session.get_one(App, cast.app_id(SOFTPHONE))
        await remember_choice(session, cast.user("Ben").id, client, given.subject, NOW)
    assert await stage.seen("Ben", SOFTPHONE) == ("Ben", "302", "own")
    assert (await stage.page("Ben", SOFTPHONE, choose=True)).kind == "choose"
    assert await stage.seen("Ben", CLIENT) == ("Ben", "202", "own")  # only that one has a licence for it


async def test_a_choice_is_made_anew_without_a_second_row(stage: Stage, store: Store, cast: Cast) -> None:
    second = await stage.line("Clinic", "302", name="Ben", products=("Softphone",))
    for chosen in (second, cast.extension("Bakery", "202").id):
        given = await stage.ask("Ben", SOFTPHONE, chosen_extension_id=chosen)
        assert isinstance(given, Granted)
        async with house_work(store) as session:
            client = await session.get_one(App, cast.app_id(SOFTPHONE))
            await remember_choice(session, cast.user("Ben").id, client, given.subject, NOW)
    assert await stage.seen("Ben", SOFTPHONE) == ("Ben", "202", "own")


@pytest.mark.parametrize("foreign", ["Bea's", "Zoe's", "nobody's"])
async def test_an_extension_of_somebody_else_is_not_chosen(stage: Stage, cast: Cast, foreign: str) -> None:
    """B18: an id in the form is not a right."""
    await stage.line("Clinic", "302", name="Ben", products=("Softphone",))
    chosen = {"Bea's": cast.extension("Bakery", "201").id, "Zoe's": cast.extension("Zoo", "201").id, "nobody's": 10**9}
    assert (await stage.page("Ben", SOFTPHONE, chosen_extension_id=chosen[foreign])).kind == "choose"


async def test_a_discarded_extension_is_nobodys(stage: Stage, store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        await (await session.get_one(Extension, cast.extension("Bakery", "201").id)).discard(session, NOW)
    assert (await stage.page("Bea", SOFTPHONE)).kind == "no_extension"


# None


@pytest.mark.parametrize("name", ["Olaf", "Paul", "Ada", "Boris"])
async def test_without_an_extension_there_is_a_page(stage: Stage, name: str) -> None:
    page = await stage.page(name, SOFTPHONE)
    assert (page.kind, page.error) == ("no_extension", "access_denied")


async def test_an_app_that_needs_none_is_opened_as_oneself(stage: Stage) -> None:
    await stage.app("wiki", "Acme")
    assert await stage.seen("Olaf", "wiki") == ("Olaf", None, "own")
    assert await stage.seen("Bea", "wiki") == ("Bea", "201", "own")


async def test_the_current_profile_opens_it(stage: Stage, cast: Cast) -> None:
    await stage.app("wiki", "Acme")
    async with house_work(stage.store) as session:
        await (await session.get_one(Extension, cast.extension("Bakery", "202").id)).discard(session, NOW)
    given = await stage.ask("Ben", "wiki", current_membership_id=cast.membership_id("Ben", at="Clinic"))
    assert isinstance(given, Granted)
    assert given.subject.tenant_name == "Clinic"


# Licences


async def test_without_a_licence_there_is_a_page(stage: Stage) -> None:
    page = await stage.page("Pete", CLIENT)
    assert (page.kind, page.error) == ("no_licence", "access_denied")
    assert page.subject is not None
    assert page.subject.number == "101"


async def test_the_subjects_licence_counts_not_the_actors(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Pia", "Dairy", "102")  # Dina has no Desk, Pia has
    assert (await stage.page("Pia", CLIENT)).kind == "no_licence"
    assert await stage.seen("Pia", SOFTPHONE) == ("Dina", "102", "binding")


async def test_a_licence_that_was_taken_back_is_none(stage: Stage) -> None:
    await stage.withdraw("Bakery", "201", "Softphone")
    assert (await stage.page("Bea", SOFTPHONE)).kind == "no_licence"
    assert await stage.seen("Bea", CLIENT) == ("Bea", "201", "own")


# Apps for admins


async def test_the_app_admin_opens_desk_admin(stage: Stage) -> None:
    assert await stage.seen("Bea", ADMIN) == ("Bea", "201", "own")


async def test_bound_to_bea_desk_admin_opens_bound_to_ben_it_names_bea(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Olaf", "Bakery", "201")
    assert await stage.seen("Olaf", ADMIN) == ("Bea", "201", "binding")
    await bind(store, cast, "Olaf", "Bakery", "202")
    page = await stage.page("Olaf", ADMIN)
    assert (page.kind, page.error) == ("not_admin", "interaction_required")
    assert [(seen.name, seen.number) for seen in page.admins] == [("Bea Bell", "201")]
    assert page.fallback is not None
    assert page.fallback.client_id == CLIENT
    assert await stage.seen("Olaf", CLIENT) == ("Ben", "202", "binding")


async def test_who_is_no_admin_is_told_who_is(stage: Stage) -> None:
    page = await stage.page("Ben", ADMIN)
    assert (page.kind, [seen.name for seen in page.admins]) == ("not_admin", ["Bea Bell"])


async def test_nobody_becomes_admin_when_the_admins_licence_goes(stage: Stage) -> None:
    """C24."""
    await stage.withdraw("Bakery", "201", "Desk")
    page = await stage.page("Ben", ADMIN)
    assert (page.kind, page.admins) == ("not_admin", ())


async def test_an_operator_who_is_none_any_more_does_not_open_desk_admin(
    stage: Stage, store: Store, cast: Cast
) -> None:
    number = await bind(store, cast, "Opal", "Bakery", "201")
    assert await stage.seen("Opal", ADMIN) == ("Bea", "201", "binding")
    async with house_work(store) as session:
        row = await session.get_one(Membership, cast.membership_id("Opal"))
        row.role = Role.SUPERVISOR.value
        record(session, Verb.MEMBERSHIP_CHANGED, row)
    page = await stage.page("Opal", ADMIN)
    assert (page.kind, page.binding.id if page.binding else None) == ("stale", number)


# Whose app it is


async def test_an_app_serves_its_owner_and_all_below(stage: Stage) -> None:
    """T41, C10: Oak's phone is for Oak's line; Nora above it and Zoe beside it are not its people."""
    await stage.app("oak-phone", "Oak", needs_extension=True)
    assert await stage.seen("Bea", "oak-phone") == ("Bea", "201", "own")
    for name in ("Nora", "Zoe", "Pia"):
        page = await stage.page(name, "oak-phone")
        assert (page.kind, page.error) == ("not_yours", "access_denied")


async def test_a_binding_does_not_carry_an_app_out_of_its_line(stage: Stage, store: Store, cast: Cast) -> None:
    """T41: Nora stands in for Cora at Bakery's app; Cora is not Bakery's."""
    await stage.app("bakery-phone", "Bakery", needs_extension=True)
    await bind(store, cast, "Nora", "Clinic", "301")
    assert (await stage.page("Nora", "bakery-phone")).kind == "not_yours"
    await bind(store, cast, "Nora", "Bakery", "202")
    assert await stage.seen("Nora", "bakery-phone") == ("Ben", "202", "binding")


async def test_only_the_extension_below_the_owner_fits(stage: Stage) -> None:
    await stage.line("Clinic", "302", name="Ben", products=("Softphone",))
    await stage.app("clinic-phone", "Clinic", needs_extension=True)
    assert await stage.seen("Ben", "clinic-phone") == ("Ben", "302", "own")


# Nobody


async def test_who_is_nobody_anywhere_gets_nothing(stage: Stage, store: Store, cast: Cast) -> None:
    """B24."""
    nora = cast.actor("Nora")
    async with work_as(store, nora) as session:
        await (await session.get_one(Tenant, cast.tenant("Oak").id)).suspend(session, nora, Scope.ALL, "unpaid", NOW)
    for name in ("Olaf", "Bea"):
        assert (await stage.page(name, SOFTPHONE)).kind == "not_yours"


async def test_a_closed_company_leaves_the_other(stage: Stage, store: Store, cast: Cast) -> None:
    await stage.line("Clinic", "302", name="Ben", products=("Softphone",))
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        await (await session.get_one(Tenant, cast.tenant("Bakery").id)).suspend(session, olaf, Scope.ALL, "unpaid", NOW)
    assert await stage.seen("Ben", SOFTPHONE) == ("Ben", "302", "own")


# The steps, for the page that explains


async def test_each_step_is_told(stage: Stage, store: Store, cast: Cast) -> None:
    steps: list[Step] = []
    await stage.ask("Bea", ADMIN, steps=steps)
    assert [(step.rule, step.outcome) for step in steps] == [
        ("binding", "none"),
        ("own", "extension"),
        ("licence", "holds"),
    ]
    await bind(store, cast, "Olaf", "Bakery", "202")
    steps.clear()
    await stage.ask("Olaf", ADMIN, steps=steps)
    assert [(step.rule, step.outcome) for step in steps] == [
        ("binding", "holds"),
        ("licence", "holds"),
        ("admin", "refused"),
    ]


# The login itself


async def test_a_login_through_a_binding_keeps_both_and_its_reason(stage: Stage, store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Pia", "Dairy", "101", ends_at=NOW + timedelta(hours=1))
    login = await stage.log_in("Pia", SOFTPHONE)
    assert (login.actor_membership_id, login.subject_membership_id) == (
        cast.membership_id("Pia"),
        cast.membership_id("Dan"),
    )
    assert (login.because, login.binding_id) == (Because.BINDING, number)
    assert login.ends_at == NOW + timedelta(hours=1)
    async with house_work(store) as session:
        assert (await session.get_one(Binding, number)).last_used_at == NOW


async def test_the_subject_sees_who_was_in_their_place(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Pia", "Dairy", "101")
    login = await stage.log_in("Pia", SOFTPHONE)
    async with work_as(store, cast.actor("Dan")) as session:
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == "login.started"))).one()
    assert (entry.actor_name, entry.subject_name, entry.record_name) == ("Pia Pine", "Dan Dale", "Softphone")
    assert entry.details == {"sid": login.id, "because": "binding"}
    assert entry.tenant_id == cast.tenant("Dairy").id


async def test_ones_own_login_names_nobody_else(stage: Stage, store: Store) -> None:
    await stage.log_in("Bea", SOFTPHONE)
    async with house_work(store) as session:
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == "login.started"))).one()
    assert (entry.actor_name, entry.subject_name, entry.stand_in_id) == ("Bea Bell", None, None)


async def test_a_stand_in_touches_nothing_of_the_subjects(stage: Stage, store: Store, cast: Cast) -> None:
    """T53: password, last sign-in and sign-ins of Dan are as they were."""

    async def dans() -> tuple[Any, ...]:
        async with house_work(store) as session:
            dan = await session.get_one(User, cast.user("Dan").id)
            spells = sa.select(sa.func.count(SignIn.id)).where(SignIn.user_id == dan.id)
            return dan.password_hash, dan.last_sign_in_at, dan.last_entry_id, await session.scalar(spells)

    before = await dans()
    await bind(store, cast, "Pia", "Dairy", "101")
    await stage.log_in("Pia", SOFTPHONE)
    assert await dans() == before


async def test_every_login_is_another(stage: Stage) -> None:
    logins = [await stage.log_in("Bea", SOFTPHONE) for _ in range(3)]
    assert len({login.id for login in logins}) == 3


async def test_whom_an_app_last_saw_in_this_browser(stage: Stage, store: Store, cast: Cast) -> None:
    login = await stage.log_in("Bea", SOFTPHONE)
    assert login.sign_in_id is not None
    async with house_work(store) as session:
        assert await last_seen_by(session, login.sign_in_id, cast.app_id(SOFTPHONE)) == cast.membership_id("Bea")
        assert await last_seen_by(session, login.sign_in_id, cast.app_id(CLIENT)) is None


async def test_signing_out_everywhere_ends_what_one_did_and_what_was_done_as_one(
    stage: Stage, store: Store, cast: Cast
) -> None:
    """C21, T23: Dan presses it while Pia is bound to him."""
    await bind(store, cast, "Pia", "Dairy", "101")
    as_dan, dans, petes = (
        await stage.log_in("Pia", SOFTPHONE),
        await stage.log_in("Dan", SOFTPHONE),
        await stage.log_in("Pete", SOFTPHONE),
    )
    async with house_work(store) as session:
        await end_logins_of(session, cast.user("Dan").id, "everywhere", NOW)
    async with house_work(store) as session:
        ended = {login.id: login.ended_cause for login in await session.scalars(sa.select(Login))}
    assert ended == {as_dan.id: "everywhere", dans.id: "everywhere", petes.id: None}


async def test_who_sees_a_login(stage: Stage, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Pia", "Dairy", "101")
    login = await stage.log_in("Pia", SOFTPHONE)
    seen = set()
    for name in ("Ada", "Pia", "Paul", "Dan", "Dina", "Olaf", "Elsa"):
        async with work_as(store, cast.actor(name)) as session:
            with contextlib.suppress(sa.exc.NoResultFound):
                await session.get_one(Login, login.id)
                seen.add(name)
    assert seen == {"Ada", "Pia", "Paul"}
