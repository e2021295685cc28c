"""Webhooks: a company's program is told of what happens there and below, signed, again where it did not answer."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bindings import webhook_feed
from bindings.logout import end_login
from bindings.moving import move_tenant
from bindings.webhook_deliveries import KEPT, Failure, Outcome, WebhookDelivery
from bindings.webhook_sending import LEASE, PATIENCE, PAUSES
from bindings.webhooks import EVENTS, KNOWN, MOST, OVERLAP, Webhook, find_webhook
from control.house import House
from control.outbound import Answer, Hitch, Outbound
from control.settings import Settings
from control.webhooks import Sender, posting
from tenants.letters import Letter, LetterKind
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.bindings.test_logout_tokens import logged_in
from tests.cast import WHY, Cast, Clock, bind, house_work, impersonate, work_as
from tests.conftest import ON_BOTH
from tests.control.receiver import listening

PANEL = "http://localhost:8000"
SECRET_KEY = b"the secret key of a story, 32 bytes and more"


@dataclass(frozen=True)
class Came:
    """One message as it arrived."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def type(self) -> str:
        return str(self.said["type"])


class Programs(Outbound):
    """The other ends: each address answers as a story says, and keeps what it was told."""

    def __init__(self) -> None:
        super().__init__(loopback=True)
        self.came: list[Came] = []
        self.answers: dict[str, Callable[[], int]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.under_way = 0
        self.turned = asyncio.Event()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Keep it, wait if the story says so, and answer."""
        self.came.append(Came(url, body, headers))
        self.under_way += 1
        self.turned.set()
        try:
            if url in self.held:
                await self.held[url].wait()
            return Answer(self.answers.get(url, lambda: 204)(), b"")
        finally:
            self.under_way -= 1

    def types(self, url: str) -> list[str]:
        return [each.type for each in self.came if each.url == url]


@dataclass
class Story:
    """A house whose webhooks are told."""

    store: Store
    cast: Cast
    clock: Clock
    folder: Path
    programs: Programs = field(default_factory=Programs)

    @property
    def house(self) -> House:
        url = str(self.store.url)
        return House(Settings(url, url, self.folder, PANEL, SECRET_KEY), self.store, lambda: self.clock.now)

    def sender(self) -> Sender:
        return Sender(self.house, self.programs)

    async def round(self, sender: Sender | None = None) -> int:
        """Read on, and send whatever is due until nothing is."""
        sender, sent = sender or self.sender(), 0
        await sender.read_on(self.clock.now)
        while more := await sender.look(self.clock.now):
            await sender.arrive()
            sent += more
        return sent

    async def hook(
        self, who: str = "Boris", tenant: str = "Bakery", url: str = "", events: tuple[str, ...] = KNOWN
    ) -> Webhook:
        webhook, _ = await self.made(who, tenant, url, events)
        return webhook

    async def made(self, who: str, tenant: str, url: str = "", events: tuple[str, ...] = KNOWN) -> tuple[Webhook, str]:
        async with work_as(self.store, self.cast.actor(who), self.clock.now) as session:
            place = await session.get_one(Tenant, self.cast.tenant(tenant).id)
            address = url or f"https://{tenant.lower()}.example/hook"
            return await Webhook.make(session, SECRET_KEY, place, address, events, self.clock.now)

    async def as_(self, who: str, webhook: Webhook, what: Callable[..., Any]) -> Any:
        """Do something to a webhook as somebody."""
        async with work_as(self.store, self.cast.actor(who), self.clock.now) as session:
            return await what(await find_webhook(session, webhook.id), session)

    async def row(self, webhook: Webhook) -> Webhook:
        async with house_work(self.store, self.clock.now) as session:
            return await session.get_one(Webhook, webhook.id)

    async def deliveries(self, webhook: Webhook) -> list[WebhookDelivery]:
        async with house_work(self.store, self.clock.now) as session:
            mine = sa.select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
            return list(await session.scalars(mine.order_by(WebhookDelivery.id)))

    async def bound(self, number: str = "201") -> int:
        return await bind(self.store, self.cast, "Olaf", "Bakery", number, self.clock.now, reason=WHY)

    async def suspended(self, who: str, tenant: str, scope: Scope = Scope.STAFF) -> None:
        actor = self.cast.actor(who)
        async with work_as(self.store, actor, self.clock.now) as session:
            place = await session.get_one(Tenant, self.cast.tenant(tenant).id)
            await place.suspend(session, actor, scope, "unpaid since May", self.clock.now)


@pytest.fixture
def story(store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Story:
    return Story(store, cast, clock, tmp_path)


def verified(secret: str, came: Came) -> bool:
    """As the specification of Standard Webhooks says it, in the few lines that a receiver writes."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join([came.headers["webhook-id"].encode(), came.headers["webhook-timestamp"].encode(), came.body])
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    signatures = [each.split(",", 1) for each in came.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(mark, expected) for version, mark in signatures)


# What is told, and to whom


@ON_BOTH
async def test_boris_is_told_of_a_binding_with_both_people(story: Story) -> None:
    webhook, secret = await story.made("Boris", "Bakery")
    binding = await story.bound()
    assert await story.round() == 1
    assert await story.round() == 0
    [came] = story.programs.came
    assert verified(secret, came)
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["webhook-timestamp"] == str(int(story.clock.now.timestamp()))
    said = came.said
    assert (said["type"], said["timestamp"]) == ("binding.made", story.clock.now.isoformat())
    data = said["data"]
    assert data["tenant"] == story.cast.tenant("Bakery").id
    # Olaf is from above: named, as in Bakery's history, without a number of somebody whom Bakery does not reach.
    assert data["actor"] == {"membership": None, "name": "Olaf Olsen", "tenant": "Oak"}
    assert data["reason"] == WHY
    assert (data["record"]["type"], data["record"]["id"]) == ("bindings", str(binding))
    [delivery] = await story.deliveries(webhook)
    assert (delivery.outcome, delivery.status, delivery.tries) == (Outcome.DELIVERED, 204, 1)


@ON_BOTH
async def test_those_above_are_told_too_and_neighbours_never(story: Story) -> None:
    oak = await story.hook("Olaf", "Oak")
    clinic, pine = await story.hook("Clara", "Clinic"), await story.hook("Pia", "Pine")
    await story.bound()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    await story.round()
    assert story.programs.types(oak.url) == ["binding.made", "impersonation.started"]
    for neighbour in (clinic, pine):
        assert story.programs.types(neighbour.url) == []
        assert await story.deliveries(neighbour) == []


async def test_a_login_by_which_somebody_stood_in_is_told_when_it_ends_and_others_are_not(story: Story) -> None:
    webhook = await story.hook(events=("login.ended",))
    await story.bound()
    bound, own = [await logged_in(story.store, story.cast, name) for name in ("Olaf", "Ben")]
    for sid in (bound, own):
        await end_login(story.store, sid, "logout", story.clock.now)
    await story.round()
    [came] = story.programs.came
    assert came.type == "login.ended"
    assert (came.said["data"]["subject"]["name"], came.said["data"]["cause"]) == ("Bea Bell", "logout")
    assert story.programs.types(webhook.url) == ["login.ended"]


async def test_the_subject_of_an_impersonation_is_named(story: Story) -> None:
    await story.hook()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    await story.round()
    [came] = story.programs.came
    subject = came.said["data"]["subject"]
    assert subject == {"membership": story.cast.membership_id("Bea"), "name": "Bea Bell"}


async def test_only_chosen_events_come(story: Story) -> None:
    webhook = await story.hook(events=("impersonation.started",))
    await story.bound()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    await story.round()
    assert story.programs.types(webhook.url) == ["impersonation.started"]


async def test_what_was_before_the_webhook_is_not_told(story: Story) -> None:
    await story.bound()
    story.clock.pass_(minutes=1)
    webhook = await story.hook()
    await story.round()
    assert await story.deliveries(webhook) == []


async def test_a_suspended_customer_is_told_to_the_reseller_and_hears_nothing_itself(story: Story) -> None:
    bakery, oak = await story.hook(), await story.hook("Olaf", "Oak")
    await story.suspended("Olaf", "Bakery", Scope.ALL)
    await story.round()
    assert story.programs.types(oak.url) == ["tenant.suspended"]
    assert await story.deliveries(bakery) == []


async def test_what_waits_for_a_tenant_that_closes_is_not_sent(story: Story) -> None:
    bakery = await story.hook()
    await story.bound()
    await story.sender().read_on(story.clock.now)
    await story.suspended("Olaf", "Bakery", Scope.ALL)
    await story.round()
    assert story.programs.came == []
    assert {each.error for each in await story.deliveries(bakery)} == {Failure.CLOSED.value}


async def test_after_a_move_the_old_line_hears_no_more_and_the_new_one_does(story: Story) -> None:
    oak, pine, north = [await story.hook(*each) for each in (("Olaf", "Oak"), ("Pia", "Pine"), ("Nora", "North"))]
    bakery = await story.hook()
    ada, now = story.cast.actor("Ada"), story.clock.now
    await story.bound()
    await story.sender().read_on(now)
    async with work_as(story.store, ada, now) as session:
        moved = await session.get_one(Tenant, story.cast.tenant("Bakery").id)
        await move_tenant(session, ada, moved, await session.get_one(Tenant, story.cast.tenant("Pine").id), now)
    await story.round()
    # What waited for the old line is not sent to it any more.
    assert story.programs.types(oak.url) == story.programs.types(north.url) == []
    assert [each.error for each in await story.deliveries(oak)] == [Failure.MOVED.value]
    assert "tenant.moved" in story.programs.types(pine.url)
    assert "binding.ended" in story.programs.types(pine.url)
    assert "tenant.moved" in story.programs.types(bakery.url)


async def test_they_come_one_after_the_other_in_the_order_of_the_trail(story: Story) -> None:
    webhook = await story.hook()
    await story.bound("201")
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    sender = story.sender()
    await sender.read_on(story.clock.now)
    assert await sender.look(story.clock.now) == 1
    assert await sender.look(story.clock.now) == 0
    await sender.arrive()
    await story.round(sender)
    assert story.programs.types(webhook.url) == ["binding.made", "impersonation.started"]


# Nothing is missed


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_an_entry_that_is_committed_late_is_not_missed(story: Story) -> None:
    """The first draws its number and waits; the second is committed and read; then the first comes behind it."""
    webhook = await story.hook("Nora", "North")
    olaf, clara, now = story.cast.actor("Olaf"), story.cast.actor("Nora"), story.clock.now
    async with work_as(story.store, olaf, now) as slow:
        bakery = await slow.get_one(Tenant, story.cast.tenant("Bakery").id)
        await bakery.suspend(slow, olaf, Scope.STAFF, "unpaid since May", now)
        async with work_as(story.store, clara, now) as quick:
            clinic = await quick.get_one(Tenant, story.cast.tenant("Clinic").id)
            await clinic.suspend(quick, clara, Scope.STAFF, "unpaid since June", now)
        # Committed, but not final: something older is still open.
        assert await story.round() == 0
    await story.round()
    told = [each.said["data"]["reason"] for each in story.programs.came]
    assert sorted(told) == ["unpaid since June", "unpaid since May"]
    entries = [each.entry_id for each in await story.deliveries(webhook)]
    assert len(set(entries)) == 2
    assert await story.round() == 0


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_cursor_of_another_cluster_starts_over_without_telling_twice(story: Story) -> None:
    webhook = await story.hook()
    await story.bound()
    await story.round()
    async with house_work(story.store) as session:
        await session.execute(sa.update(Webhook).values(seen_transaction=2**40))
    await story.round()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    await story.round()
    assert story.programs.types(webhook.url)[-1] == "impersonation.started"
    assert len(set(story.programs.types(webhook.url))) == len(story.programs.came)


@ON_BOTH
async def test_more_than_one_look_holds_is_told_all_the_same(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook, sender = await story.hook(), story.sender()
    monkeypatch.setattr(webhook_feed, "AT_ONCE", 2)
    await story.bound("201")
    for name in ("Bea", "Ben"):
        await impersonate(story.store, story.cast, "Olaf", name, story.clock.now, at="Bakery")
        story.clock.pass_(hours=9)
    while await sender.read_on(story.clock.now):
        pass
    entries = [each.entry_id for each in await story.deliveries(webhook)]
    async with house_work(story.store) as session:
        known = sa.select(Entry.id).where(Entry.verb.in_(KNOWN), Entry.tenant_id == webhook.tenant_id)
        known = known.where(Entry.id > webhook.last_entry_id, Entry.verb != Verb.LOGGED_IN.value)
        assert sorted(entries) == sorted(await session.scalars(known))


@ON_BOTH
async def test_where_nothing_was_to_be_told_nothing_is_written(story: Story) -> None:
    webhook = await story.hook()
    before = (await story.row(webhook)).seen
    assert await story.sender().read_on(story.clock.now) == 0
    assert (await story.row(webhook)).seen == before


# Tries


async def test_who_does_not_answer_is_asked_again_and_given_up(story: Story) -> None:
    webhook = await story.hook()
    story.programs.answers[webhook.url] = lambda: 500
    await story.bound()
    for tries, pause in enumerate(PAUSES, 1):
        assert await story.round() == 1
        [delivery] = await story.deliveries(webhook)
        assert (delivery.outcome, delivery.error, delivery.tries) == (Outcome.WAITING, "status 500", tries)
        assert delivery.try_at == story.clock.now + pause
        story.clock.now += pause - timedelta(seconds=1)
        assert await story.round() == 0
        story.clock.now += timedelta(seconds=1)
    assert await story.round() == 1
    [delivery] = await story.deliveries(webhook)
    assert (delivery.outcome, delivery.status) == (Outcome.FAILED, 500)
    assert len({each.headers["webhook-id"] for each in story.programs.came}) == 1
    assert (await story.row(webhook)).disabled_at is None


async def test_a_redirect_is_no_delivery(story: Story) -> None:
    webhook = await story.hook()
    story.programs.answers[webhook.url] = lambda: 302
    await story.bound()
    await story.round()
    assert [each.error for each in await story.deliveries(webhook)] == ["status 302"]


async def test_gone_is_disabled_at_once_and_history_says_so(story: Story) -> None:
    webhook = await story.hook()
    story.programs.answers[webhook.url] = lambda: 410
    await story.bound()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    assert await story.round() == 1
    row = await story.row(webhook)
    assert row.disabled_at == story.clock.now
    assert [each.error for each in await story.deliveries(webhook)] == ["status 410", Failure.DISABLED.value]
    async with house_work(story.store) as session:
        entry = await session.get_one(Entry, row.last_entry_id)
        assert (entry.verb, entry.details, entry.actor_name) == (
            "webhook.disabled",
            {"cause": "gone"},
            "system: webhooks",
        )
        letters = (await session.execute(sa.select(Letter))).scalars().all()
    # Bakery's admin is told, and nobody else.
    assert [(each.kind, each.address) for each in letters] == [(LetterKind.WEBHOOK_DISABLED, "boris@bakery.example")]
    assert letters[0].words(SECRET_KEY) == {
        "address": "bakery.example",
        "tenant": "Bakery",
        "cause": "gone",
        "link": f"{PANEL}/webhooks/{webhook.id}",
    }


async def test_one_that_took_nothing_for_five_days_is_disabled(story: Story) -> None:
    webhook = await story.hook()
    story.programs.answers[webhook.url] = lambda: 503
    await story.bound()
    end = story.clock.now + PATIENCE
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    for moment in range(40):
        await story.round()
        if (await story.row(webhook)).disabled_at is not None:
            break
        story.clock.pass_(hours=20)
        if moment % 3 == 0:
            await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    assert (await story.row(webhook)).disabled_at is not None
    assert story.clock.now >= end
    async with house_work(story.store) as session:
        assert [each.words(SECRET_KEY)["cause"] for each in await session.scalars(sa.select(Letter))] == ["failing"]


async def test_a_dead_one_holds_up_nobody_else(story: Story) -> None:
    dead, alive = await story.hook(), await story.hook("Olaf", "Oak")
    story.programs.held[dead.url] = asyncio.Event()
    await story.bound()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    sender = story.sender()
    await sender.read_on(story.clock.now)
    async with asyncio.timeout(20):
        while len(story.programs.types(alive.url)) < 2:
            await sender.look(story.clock.now)
            story.programs.turned.clear()
            await asyncio.sleep(0)
    assert story.programs.types(dead.url) == ["binding.made"]
    story.programs.held[dead.url].set()
    await sender.arrive()


async def test_what_a_process_took_with_it_is_due_again(story: Story) -> None:
    webhook = await story.hook()
    story.programs.held[webhook.url] = asyncio.Event()
    await story.bound()
    dying = story.sender()
    await dying.read_on(story.clock.now)
    assert await dying.look(story.clock.now) == 1
    assert await story.sender().look(story.clock.now) == 0
    await dying.arrive(within=0)
    story.programs.held.clear()
    story.clock.now += LEASE
    assert await story.round() == 1
    assert [each.outcome for each in await story.deliveries(webhook)] == [Outcome.DELIVERED]


@ON_BOTH
async def test_of_two_processes_one_sends(story: Story) -> None:
    webhook = await story.hook()
    await story.bound()
    one, two = story.sender(), story.sender()
    await asyncio.gather(one.read_on(story.clock.now), two.read_on(story.clock.now))
    assert sum(await asyncio.gather(one.look(story.clock.now), two.look(story.clock.now))) == 1
    await asyncio.gather(one.arrive(), two.arrive())
    assert story.programs.types(webhook.url) == ["binding.made"]


async def test_an_address_that_nothing_is_sent_to_is_never_asked(story: Story) -> None:
    """T42: refused when it is typed; and where a name leads inside by now, the post itself does not leave."""
    webhook = await story.hook(url="https://hooks.example/x")

    async def inside(host: str, port: int) -> list[str]:
        return ["169.254.169.254"]

    sender = Sender(story.house, Outbound(loopback=False, resolve=inside))
    await story.bound()
    await story.round(sender)
    [delivery] = await story.deliveries(webhook)
    assert (delivery.status, delivery.error) == (None, Hitch.ADDRESS.value)


async def test_old_deliveries_are_forgotten(story: Story) -> None:
    webhook = await story.hook()
    await story.bound()
    await story.round()
    async with house_work(story.store) as session:
        assert await WebhookDelivery.forget(session, story.clock.now + KEPT) == 0
        assert await WebhookDelivery.forget(session, story.clock.now + KEPT + timedelta(seconds=1)) == 1
    assert await story.deliveries(webhook) == []


async def test_a_program_on_this_machine_is_told_for_real(store: Store, cast: Cast, tmp_path: Path) -> None:
    clock = Clock()
    story = Story(store, cast, clock, tmp_path)
    async with listening() as receiver:
        _, secret = await story.made("Boris", "Bakery", url=receiver.address)
        async with posting(story.house), asyncio.timeout(20):
            await story.bound()
            await receiver.heard.wait()
    [came] = receiver.came
    assert came.line == "POST /backchannel-logout HTTP/1.1"
    assert verified(secret, Came(receiver.address, came.body, came.headers))
    assert not verified(secret, Came(receiver.address, came.body + b" ", came.headers))


# Secrets, tests, replays, ends


async def test_the_old_secret_signs_beside_the_new_one_for_a_day(story: Story) -> None:
    webhook, old = await story.made("Boris", "Bakery")
    new = await story.as_("Boris", webhook, lambda row, session: row.rotate(session, SECRET_KEY, story.clock.now))
    await story.as_("Boris", webhook, lambda row, session: row.test(session, story.clock.now))
    await story.round()
    story.clock.now += OVERLAP
    await story.as_("Boris", webhook, lambda row, session: row.test(session, story.clock.now))
    await story.round()
    during, after = story.programs.came
    assert (verified(old, during), verified(new, during)) == (True, True)
    assert (verified(old, after), verified(new, after)) == (False, True)
    row = await story.row(webhook)
    assert old not in row.sealed
    assert new not in row.sealed


async def test_history_says_that_a_secret_changed_and_not_what_it_is(story: Story) -> None:
    webhook, secret = await story.made("Boris", "Bakery")
    async with house_work(story.store) as session:
        entry = await session.get_one(Entry, webhook.last_entry_id)
        assert (entry.verb, entry.record_name) == ("webhook.created", "bakery.example")
        assert entry.changes["sealed"] == "changed"
        assert secret not in json.dumps([entry.changes, entry.details])


async def test_a_test_event_says_only_that_it_is_one(story: Story) -> None:
    webhook = await story.hook(events=("tenant.moved",))
    await story.as_("Boris", webhook, lambda row, session: row.test(session, story.clock.now))
    await story.round()
    [came] = story.programs.came
    assert came.type == "webhook.test"
    assert came.said["data"]["actor"]["name"] == "Boris Birch"


async def test_one_is_sent_again_as_the_same_message(story: Story) -> None:
    webhook = await story.hook()
    await story.bound()
    await story.round()

    async def again(row: Webhook, session: Any) -> None:
        [delivery] = await session.scalars(sa.select(WebhookDelivery))
        await row.replay(session, delivery, story.clock.now)

    await story.as_("Boris", webhook, again)
    with pytest.raises(Conflict):
        await story.as_("Boris", webhook, again)
    await story.round()
    first, second = story.programs.came
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_all_that_failed_since_then_is_sent_again(story: Story) -> None:
    webhook = await story.hook()
    await story.bound()
    await story.round()
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    await story.sender().read_on(story.clock.now)
    await story.as_("Boris", webhook, lambda row, session: row.disable(session, story.clock.now))
    since = story.clock.now
    story.clock.pass_(hours=1)
    with pytest.raises(Conflict):
        await story.as_("Boris", webhook, lambda row, session: row.replay_since(session, since, story.clock.now))
    await story.as_("Boris", webhook, lambda row, session: row.enable(session, story.clock.now))
    later = story.clock.now
    assert await story.as_("Boris", webhook, lambda row, session: row.replay_since(session, later, later)) == 0
    assert await story.as_("Boris", webhook, lambda row, session: row.replay_since(session, since, later)) == 1
    await story.round()
    assert story.programs.types(webhook.url) == ["binding.made", "impersonation.started"]
    every = await story.as_(
        "Boris", webhook, lambda row, session: row.replay_since(session, since, later, failed=False)
    )
    assert every == 2
    await story.round()
    assert story.programs.types(webhook.url)[2:] == ["binding.made", "impersonation.started"]
    assert len({each.headers["webhook-id"] for each in story.programs.came}) == 2


async def test_a_disabled_one_hears_nothing_and_starts_anew(story: Story) -> None:
    webhook = await story.hook()
    await story.as_("Boris", webhook, lambda row, session: row.disable(session, story.clock.now))
    await story.bound()
    await story.round()
    await story.as_("Boris", webhook, lambda row, session: row.enable(session, story.clock.now))
    await impersonate(story.store, story.cast, "Olaf", "Bea", story.clock.now)
    await story.round()
    assert story.programs.types(webhook.url) == ["impersonation.started"]


async def test_a_discarded_one_is_over(story: Story) -> None:
    webhook = await story.hook()
    await story.bound()
    await story.sender().read_on(story.clock.now)
    await story.as_("Boris", webhook, lambda row, session: row.discard(session, story.clock.now))
    assert await story.round() == 0
    for what in ("discard", "disable", "enable", "test"):
        with pytest.raises(Conflict):
            await story.as_(
                "Boris", webhook, lambda row, session, what=what: getattr(row, what)(session, story.clock.now)
            )


@pytest.mark.parametrize("events", [(), ("password.changed",), ("binding.made", "entries")])
async def test_events_are_of_the_list(story: Story, events: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        await story.hook(events=events)
    assert refused.value.field == "events"


async def test_a_tenant_has_so_many_and_no_more(story: Story) -> None:
    for _ in range(MOST):
        await story.hook()
    with pytest.raises(Conflict) as refused:
        await story.hook()
    assert refused.value.rule == "webhooks"


async def test_pia_knows_nothing_of_bakerys_webhook(story: Story) -> None:
    webhook = await story.hook()
    with pytest.raises(OutOfReach):
        await story.as_("Pia", webhook, lambda row, session: row.disable(session, story.clock.now))


def test_the_list_of_events_is_short_and_of_history() -> None:
    assert set(EVENTS) == {"stand_ins", "people", "suspensions", "moves"}
    assert len(set(KNOWN)) == len(KNOWN) == 18
