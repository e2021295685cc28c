"""The history by the API: the same filters, newest first, and who accessed one's own account."""

import pytest

from tenants.people import Membership
from tenants.roles import Role
from tenants.tree import Tenant
from tests.cast import bind, work_as
from tests.control.api.conftest import Api

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

WHY = "Ticket 4417, no ring"


@pytest.fixture
async def story(api: Api) -> Api:
    """Boris renames Bakery and makes Ben a supervisor; Olaf binds to Bea; Clara renames Clinic, an hour apart each."""
    cast = api.cast
    async with work_as(api.store, cast.actor("Boris"), api.clock.now) as session:
        await (await session.get_one(Tenant, cast.tenant("Bakery").id)).change(session, name="Bread Works")
    async with work_as(api.store, cast.actor("Boris"), api.clock.pass_(hours=1)) as session:
        ben = await session.get_one(Membership, cast.membership_id("Ben", at="Bakery"))
        await ben.change_role(session, cast.actor("Boris"), Role.SUPERVISOR, api.clock.now)
    await bind(api.store, cast, "Olaf", "Bakery", "201", api.clock.pass_(hours=1), reason=WHY)
    async with work_as(api.store, cast.actor("Clara"), api.clock.pass_(hours=1)) as session:
        await (await session.get_one(Tenant, cast.tenant("Clinic").id)).change(session, name="Surgery")
    return api


async def told(api: Api, name: str, query: str) -> list[str]:
    """The verbs that somebody is told of."""
    answer = await (await api.as_(name)).get(f"/entries?{query}")
    assert answer.status_code == 200, answer.text
    return [entry["verb"] for entry in answer.json()["items"]]


async def test_each_filter_lets_through_what_it_says(story: Api) -> None:
    cast = story.cast
    today = "since=2026-11-21T09:00:00Z"
    assert await told(story, "Olaf", f"{today}&field=role") == ["membership.changed"]
    assert await told(story, "Olaf", f"{today}&record_type=bindings") == ["binding.made"]
    assert await told(story, "Olaf", f"{today}&subject={cast.membership_id('Bea')}") == ["binding.made"]
    assert await told(story, "Olaf", f"{today}&actor={cast.membership_id('Clara')}") == ["tenant.changed"]
    assert await told(story, "Olaf", f"{today}&verb=tenant.changed") == ["tenant.changed", "tenant.changed"]
    assert await told(story, "Olaf", f"{today}&tenant={cast.tenant('Clinic').id}&verb=tenant.changed") == [
        "tenant.changed"
    ]
    assert await told(story, "Olaf", f"{today}&record_type=tenants&record_id={cast.tenant('Clinic').id}") == [
        "tenant.changed"
    ]
    assert await told(story, "Olaf", f"{today}&until=2026-11-21T09:30:00Z&verb=tenant.changed") == ["tenant.changed"]
    assert await told(story, "Olaf", f"{today}&via=token") == []


async def test_a_tenant_means_it_and_all_below_within_the_reach(story: Api) -> None:
    cast = story.cast
    today = "since=2026-11-21T09:00:00Z&verb=tenant.changed"
    assert len(await told(story, "Nora", f"{today}&tenant={cast.tenant('Oak').id}")) == 2
    boris = await story.as_("Boris")
    assert (await boris.get(f"/entries?tenant={cast.tenant('Clinic').id}")).status_code == 404
    assert await told(story, "Boris", today) == ["tenant.changed"]


async def test_pages_follow_one_another_and_repeat_nothing(story: Api) -> None:
    olaf = await story.as_("Olaf")
    seen: list[int] = []
    following = "/entries?limit=7"
    while following:
        page = (await olaf.get(following)).json()
        seen += [entry["id"] for entry in page["items"]]
        assert page["back_to"] is None
        following = f"/entries?limit=7&cursor={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) > 14
    assert seen == sorted(seen, reverse=True)


async def test_another_order_or_a_foreign_cursor_is_refused(story: Api) -> None:
    olaf = await story.as_("Olaf")
    for wrong in ("sort=verb", "cursor=abc", "since=yesterday", "tenant=x", "actor=0"):
        assert (await olaf.get(f"/entries?{wrong}")).status_code == 422


async def test_bea_reads_who_accessed_her_account_and_nobody_elses(story: Api) -> None:
    answer = (await (await story.as_("Bea")).get("/me/accesses")).json()
    assert answer["items"] == [
        {
            "occurred_at": "2026-11-21T11:00:00Z",
            "verb": "binding.made",
            "done": "bound to Bea Bell, ext 201 at Bread Works",
            "via": "direct",
            "actor_name": "Olaf Olsen",
            "actor_tenant": "Oak",
            "reason": WHY,
            "ticket": None,
            "changes": [],
        }
    ]
    for name in ("Ben", "Zoe", "Boris"):
        assert (await (await story.as_(name)).get("/me/accesses")).json()["items"] == []
    assert (await story.stranger.get("/me/accesses")).status_code == 401
