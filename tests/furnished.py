"""A house in which every kind of audited record has a row."""

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_consents import AppConsent
from bindings.impersonation import Impersonation
from bindings.minting import Mint
from bindings.notices import AccessNotice
from bindings.webhooks import Webhook
from tenants.api_keys import ApiKey
from tenants.break_glasses import BreakGlass
from tenants.consents import Consent
from tenants.email_changes import EmailChange
from tenants.invitations import Invitation
from tenants.letters import Addressee, Letter, LetterKind
from tenants.links import Link, Purpose
from tenants.logos import Logo
from tenants.loosenings import Loosening
from tenants.numbers import InboundNumber
from tenants.passkeys import Passkey
from tenants.people import Membership
from tenants.playbooks import Playbook, PlaybookVersion
from tenants.recordings import Recording
from tenants.roles import Role
from tenants.seats import SeatLimit
from tenants.second_factors import RecoveryCode, Totp
from tenants.service_accounts import ServiceAccount
from tenants.store import Store
from tenants.trail import record
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, Cast, bind, house_work, work_as


async def furnish(store: Store, cast: Cast) -> None:
    """Add what the cast has none of: a suspension, an invitation, a key, a binding, an impersonation."""
    ada, boris = cast.actor("Ada"), cast.actor("Boris")
    async with work_as(store, ada) as session:
        zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
        await zoo.suspend(session, ada, Scope.STAFF, "unpaid since May", NOW)
    async with work_as(store, boris) as session:
        here = cast.tenant("Bakery").id
        invitation = await Invitation.prepare(session, boris, here, "bo@new.example", "Bo", Role.MEMBER, NOW)
        invitation.token_hash = "0" * 64
        record(session, Verb.INVITATION_PREPARED, invitation)
        await session.flush()
        mine = await session.get_one(Membership, cast.membership_id("Boris"))
        await ApiKey.make(session, mine, "nightly export", ["read"], 90, NOW)
        tenant = await session.get_one(Tenant, here)
        await ServiceAccount.make(session, boris, tenant, "Till", Role.AUDITOR, ["read"], NOW)
    await bind(store, cast, "Olaf", "Bakery", "201", reason="Bea's headset does not ring")
    async with house_work(store) as session:
        session.add(
            row := Impersonation(
                kind="impersonation",
                user_id=cast.user("Olaf").id,
                actor_membership_id=cast.membership_id("Olaf"),
                actor_tenant_id=cast.tenant("Oak").id,
                subject_membership_id=cast.membership_id("Bea"),
                tenant_id=cast.tenant("Bakery").id,
                mode="full",
                actor_name="Olaf",
                subject_name="Bea",
                subject_email="bea@bakery.example",
                tenant_name="Bakery",
                strong=False,
                created_at=NOW,
                ends_at=NOW + timedelta(minutes=20),
            )
        )
        record(session, Verb.REFUSED, row)
    await _people(store, cast)
    await _company_records(store, cast)
    await _windows(store, cast)


async def _people(store: Store, cast: Cast) -> None:
    """What Bea proves who she is with, and her wish for another address."""
    bea = {"user_id": cast.user("Bea").id, "created_at": NOW}
    home = {**bea, "tenant_id": cast.tenant("Bakery").id}
    rows: list[tuple[Verb, Any]] = [
        (
            Verb.EMAIL_CHANGE_ASKED,
            EmailChange(
                **home,
                email="bea@new.example",
                asked_by_id=cast.membership_id("Bea"),
                own=True,
                expires_at=NOW + timedelta(days=7),
            ),
        ),
        (Verb.TOTP_ADDED, Totp(**home, sealed="sealed", confirmed_at=NOW)),
        (Verb.PASSKEY_ADDED, Passkey(**home, credential_id="abc", public_key="def", name="Phone", transports=[])),
    ]
    async with house_work(store) as session:
        await _tell(session, rows)
        session.add(RecoveryCode(**bea, code_hash="0" * 64))
        session.add(Link(**bea, purpose=Purpose.RESET.value, token_hash="1" * 64, expires_at=NOW + timedelta(hours=1)))
        bakery = cast.tenant("Bakery").id
        to = Addressee("bea@bakery.example", "Bea", user_id=cast.user("Bea").id)
        words = {"link": "https://panel.example/", "until": (NOW + timedelta(hours=1)).isoformat()}
        await Letter.put(session, b"k" * 32, LetterKind.PASSWORD_RESET, to, bakery, NOW, **words)
        session.add(Logo(hash="2" * 64, content=b"png", width=1, height=1, created_at=NOW))


async def _company_records(store: Store, cast: Cast) -> None:
    """Bakery's seats, its number, a recording of Bea's and a playbook."""
    here = {"tenant_id": cast.tenant("Bakery").id, "created_at": NOW}
    line = cast.extension("Bakery", "201").id
    playbook = Playbook(**here, title="When the oven is down", version=1)
    rows: list[tuple[Verb, Any]] = [
        (Verb.SEAT_LIMIT_CHANGED, SeatLimit(**here, product_id=cast.products["Desk"], seats=5)),
        (Verb.NUMBER_CREATED, InboundNumber(**here, e164="+442079460123", extension_id=line)),
        (
            Verb.RECORDING_CREATED,
            Recording(
                **here,
                extension_id=line,
                membership_id=cast.membership_id("Bea"),
                external_id="call-1",
                direction="in",
                party="+442079460999",
                started_at=NOW,
                seconds=42,
            ),
        ),
        (Verb.PLAYBOOK_CREATED, playbook),
    ]
    async with house_work(store) as session:
        await _tell(session, rows)
        session.add(
            PlaybookVersion(
                **here, playbook_id=playbook.id, number=1, title=playbook.title, body="Call Bea.", author_name="Boris"
            )
        )


async def _windows(store: Store, cast: Cast) -> None:
    """A window of Bea's to Oak, a glass that Ada asks to break for her, looser rules, and what she is told of Olaf."""
    bakery, bea = cast.tenant("Bakery").id, cast.membership_id("Bea")
    here, tomorrow = {"tenant_id": bakery, "created_at": NOW}, NOW + timedelta(days=1)
    rows: list[tuple[Verb, Any]] = [
        (
            Verb.CONSENT_GRANTED,
            Consent(**here, membership_id=bea, to_tenant_id=cast.tenant("Oak").id, granted_by_id=bea, ends_at=tomorrow),
        ),
        (
            Verb.APP_AGREED,
            AppConsent(**here, user_id=cast.user("Bea").id, app_id=cast.app_id("softphone"), scopes="openid profile"),
        ),
        (
            Verb.BREAK_GLASS_ASKED,
            BreakGlass(
                **here,
                subject_membership_id=bea,
                asked_by_id=cast.membership_id("Ada"),
                reason="The oven calls the fire brigade",
            ),
        ),
        (
            Verb.LOOSENING_ASKED,
            Loosening(
                **here,
                wanted={"stand_ins": "allowed"},
                asked_by_id=cast.membership_id("Boris"),
                takes_effect_at=tomorrow,
            ),
        ),
    ]
    async with house_work(store) as session:
        await _tell(session, rows)
        tenant = await session.get_one(Tenant, bakery)
        told_at = "https://hooks.bakery.example/understudy"
        webhook, _ = await Webhook.make(session, b"k" * 32, tenant, told_at, ["binding.made"], NOW)
        await webhook.test(session, NOW)
        session.add(
            AccessNotice(
                **here,
                subject_membership_id=bea,
                actor_membership_id=cast.membership_id("Olaf"),
                actor_name="Olaf",
                actor_tenant_name="Oak",
                via="impersonation",
                stand_in_id=1,
                at_once=False,
            )
        )
        session.add(
            Mint(
                token_hash="0" * 64,
                actor_membership_id=cast.membership_id("Olaf"),
                subject_membership_id=bea,
                strong=False,
                created_at=NOW,
                expires_at=NOW,
            )
        )


async def _tell(session: AsyncSession, rows: list[tuple[Verb, Any]]) -> None:
    for verb, row in rows:
        session.add(row)
        record(session, verb, row)
        await session.flush()
