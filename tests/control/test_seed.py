"""The cast as it is told in the story: who is where, who leads, who is app admin, and what a second seed does."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bindings.apps import App
from control.seed import seed_cast
from tenants.credentials import digest, verify_password
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, Product
from tenants.policy import BindingReach
from tenants.reach import ROOT
from tenants.refusals import Conflict
from tenants.schema import migrate
from tenants.store import Store
from tenants.teams import Team, TeamMember
from tenants.trail import Entry
from tenants.tree import Kind, Tenant
from tests.cast import NOW, PASSWORD, Cast, first_name, house_work

# The table of the cast, written down once more by hand: tenant -> parent, and its people with their roles.
TOLD = {
    "Acme": (None, {"Ada": "admin", "Axel": "auditor"}),
    "North": ("Acme", {"Nora": "admin"}),
    "Oak": ("North", {"Olaf": "admin", "Opal": "operator"}),
    "Bakery": (
        "Oak",
        {"Boris": "admin", "Bruno": "supervisor", "Amos": "auditor", "Bea": "member", "Ben": "member"},
    ),
    "Clinic": ("Oak", {"Clara": "admin", "Cora": "member", "Ben": "member"}),
    "South": ("Acme", {"Sven": "admin"}),
    "Elm": ("South", {"Elsa": "admin"}),
    "Zoo": ("Elm", {"Zoe": "member"}),
    "Pine": ("Acme", {"Pia": "admin", "Paul": "operator", "Pete": "member"}),
    "Dairy": ("Pine", {"Dan": "member", "Dina": "member"}),
}
PHONES = {
    ("Bakery", "201"): "Bea",
    ("Bakery", "202"): "Ben",
    ("Bakery", "203"): None,
    ("Clinic", "301"): "Cora",
    ("Zoo", "201"): "Zoe",
    ("Pine", "100"): "Pia",
    ("Pine", "101"): "Pete",
    ("Dairy", "101"): "Dan",
    ("Dairy", "102"): "Dina",
}
WITH_DESK = {"Bea", "Ben", "Cora", "Zoe", "Pia", "Dan"}
DESK_ADMINS = {"Bea", "Cora", "Zoe", "Pia", "Dan"}


async def entries(store: Store) -> int:
    async with house_work(store) as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(Entry))).scalar_one()


async def test_everybody_is_where_the_story_has_them(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        tenants = {tenant.id: tenant for tenant in await session.scalars(sa.select(Tenant))}
        people = await session.execute(
            sa.select(User.name, Membership.tenant_id, Membership.role).join(User, User.id == Membership.user_id)
        )
        found: dict[str, tuple[str | None, dict[str, str]]] = {
            tenant.name: (tenants[tenant.parent_id].name if tenant.parent_id else None, {})
            for tenant in tenants.values()
        }
        for name, tenant_id, role in people:
            found[tenants[tenant_id].name][1][first_name(name)] = role
    assert found == TOLD
    assert cast.tenant("Acme").path == ROOT
    assert (cast.user("Pia").name, cast.user("Dan").name) == ("Pia Pine", "Dan Dale")
    assert cast.user("Ben").email == "ben@bakery.example"


async def test_everybody_has_their_number_and_their_products(store: Store, cast: Cast) -> None:
    names = {cast.membership_id(name, at=place): name for (place, _), name in PHONES.items() if name}
    async with house_work(store) as session:
        phones = await session.execute(
            sa.select(Tenant.name, Extension.number, Extension.membership_id).join(
                Tenant, Tenant.id == Extension.tenant_id
            )
        )
        found = {(place, number): names[member] if member else None for place, number, member in phones}
        licences = await session.execute(
            sa.select(Product.name, Extension.membership_id, Licence.app_admin)
            .join(Licence, Licence.product_id == Product.id)
            .join(Extension, Extension.id == Licence.extension_id)
        )
        desk = {names[member or 0]: app_admin for product, member, app_admin in licences if product == "Desk"}
    assert found == PHONES
    assert set(desk) == WITH_DESK
    assert {name for name, app_admin in desk.items() if app_admin} == DESK_ADMINS


async def test_an_admin_made_bruno_lead(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        team = (await session.scalars(sa.select(Team))).one()
        members = {row.membership_id: row.lead for row in await session.scalars(sa.select(TeamMember))}
        told = await session.scalars(sa.select(Entry.actor_name).where(Entry.record_type == "team_members"))
        assert set(told) == {"Boris Birch"}
    assert (team.name, team.tenant_id) == ("Front", cast.tenant("Bakery").id)
    assert members == {
        cast.membership_id("Bruno"): True,
        cast.membership_id("Bea"): False,
        cast.membership_id("Ben", at="Bakery"): False,
    }


async def test_only_south_binds_from_its_own_layers(store: Store) -> None:
    async with house_work(store) as session:
        layered = sa.select(Tenant.name).where(Tenant.policy_binding_reach == BindingReach.LAYER.value)
        assert list(await session.scalars(layered)) == ["South"]


async def test_everybody_can_sign_in_with_the_password_of_the_demo(store: Store) -> None:
    async with house_work(store) as session:
        users = list(await session.scalars(sa.select(User)))
    assert all(user.email_verified_at is not None for user in users)
    [stored] = {user.password_hash for user in users}
    assert await verify_password(PASSWORD, stored) == (True, None)
    assert (await verify_password("understudy-dem0", stored))[0] is False


async def test_the_apps_are_the_platforms_own_and_lead_to_their_own_origins(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        apps = {app.client_id: app for app in await session.scalars(sa.select(App))}
    assert set(apps) == set(cast.secrets) == {"softphone", "desk-client", "desk-admin"}
    for client_id, app in apps.items():
        assert app.redirect_uris == [f"http://{client_id}.localhost:8001/callback"]
        assert app.login_uri == f"http://{client_id}.localhost:8001/login"
        assert (app.tenant_id, app.first_party, app.needs_extension) == (cast.tenant("Acme").id, True, True)
        assert app.secret_hash == digest(cast.secrets[client_id])
    desk_admin = apps["desk-admin"]
    assert (desk_admin.admin_only, desk_admin.fallback_id) == (True, apps["desk-client"].id)
    assert not apps["softphone"].admin_only


async def test_a_second_seed_changes_nothing(store: Store, cast: Cast) -> None:
    before = await entries(store)
    assert await seed_cast(store, NOW) == {}
    assert await seed_cast(store, NOW, known=cast.secrets) == cast.secrets
    assert await entries(store) == before


async def test_a_second_seed_brings_back_nobody_who_was_renamed_or_moved_on(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        ada = await session.get_one(User, cast.user("Ada").id)
        await ada.change(session, name="Ada Alder")
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        await bakery.change(session, name="Bakery and Son")
    before = await entries(store)
    await seed_cast(store, NOW)
    assert await entries(store) == before


async def test_the_apps_move_to_another_port(store: Store) -> None:
    before = await entries(store)
    await seed_cast(store, NOW, apps_port=9001)
    async with house_work(store) as session:
        softphone = (await session.scalars(sa.select(App).where(App.client_id == "softphone"))).one()
    assert softphone.redirect_uris == ["http://softphone.localhost:9001/callback"]
    assert softphone.post_logout_redirect_uris == ["http://softphone.localhost:9001/"]
    assert await entries(store) == before + 3


async def test_a_lost_secret_is_made_anew_and_the_others_stay(store: Store, cast: Cast) -> None:
    known = cast.secrets | {"softphone": "not what it was"}
    del known["desk-admin"]
    secrets = await seed_cast(store, NOW, known=known)
    assert secrets["desk-client"] == cast.secrets["desk-client"]
    async with house_work(store) as session:
        stored = {app.client_id: app.secret_hash for app in await session.scalars(sa.select(App))}
    assert stored == {client_id: digest(secret) for client_id, secret in secrets.items()}
    assert secrets["softphone"] not in known.values()


@pytest.mark.parametrize("name", ["Somebody", "Acme"])
async def test_a_house_of_somebody_else_is_given_nobody_whose_password_everybody_knows(
    tmp_path: Path, name: str
) -> None:
    store = Store(f"sqlite:///{tmp_path}/theirs.db")
    await migrate(store.writer)
    async with house_work(store) as session:
        root = await Tenant.found(session, None, Kind.PLATFORM, name, None, NOW)
        await User.create(session, root, "Ida", "ida@somebody.example", NOW - timedelta(days=1))
    before = await entries(store)
    with pytest.raises(Conflict):
        await seed_cast(store, NOW)
    assert await entries(store) == before
    await store.close()
