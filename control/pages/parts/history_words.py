"""The words of history: what fields, kinds of records, ways of acting and values are called."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from control.clock_words import moment_words
from control.words import words
from tenants.policy import BindingReach, Look, Notice, StandIns
from tenants.trail import Entry
from tenants.verbs import Verb

POLICIES = {
    "policy_stand_ins": StandIns,
    "policy_look": Look,
    "policy_binding_reach": BindingReach,
    "policy_notice": Notice,
}

YES_OR_NO = frozenset({"policy_reason", "policy_ticket", "policy_second_factor", "policy_require_factor"})
"""Rules that are asked for or not, kept as numbers like the others."""


@lru_cache
def record_kinds(locale: str) -> Mapping[str, str]:
    """What can have a history, by the name of its table."""
    _ = words(locale).gettext
    return {
        "tenants": _("Companies and organizations"),
        "suspensions": _("Suspensions"),
        "users": _("Users"),
        "memberships": _("Memberships"),
        "teams": _("Teams"),
        "team_members": _("Team members"),
        "phone_systems": _("Phone systems"),
        "extensions": _("Extensions"),
        "products": _("Products"),
        "licences": _("Licences"),
        "bindings": _("Bindings"),
        "impersonations": _("Impersonations"),
        "apps": _("Apps"),
        "api_keys": _("API keys"),
        "service_accounts": _("Service accounts"),
        "invitations": _("Invitations"),
        "email_changes": _("Changes of e-mail"),
        "totps": _("Authenticator apps"),
        "passkeys": _("Passkeys"),
        "seat_limits": _("Seats"),
        "numbers": _("Inbound numbers"),
        "recordings": _("Call recordings"),
        "playbooks": _("Playbooks"),
        "loosenings": _("Looser rules"),
        "consents": _("Windows of consent"),
        "app_consents": _("Consents to apps"),
        "break_glasses": _("Broken glass"),
        "webhooks": _("Webhooks"),
    }


KINDS_OF = {"billing": ("licences", "seat_limits", "products"), "factors": ("totps", "passkeys")}
"""Questions that several kinds of record answer together."""


@lru_cache
def kinds_asked(locale: str) -> Mapping[str, str]:
    """What a reader may choose: kinds of record, and the questions over several of them."""
    _ = words(locale).gettext
    together = {"billing": _("Billing: licences, seats, products"), "factors": _("Second factors")}
    return {**together, **record_kinds(locale)}


@lru_cache
def verbs_asked(locale: str) -> Mapping[str, str]:
    """What can have been done, in the sentence that history says it with."""
    _ = words(locale).gettext
    return {verb.value: _(verb.sentence).replace("{record}", "…") for verb in Verb}


@lru_cache
def ways(locale: str) -> Mapping[str, str]:
    """How something was done."""
    _ = words(locale).gettext
    return {
        "direct": _("directly"),
        "binding": _("binding"),
        "impersonation": _("impersonation"),
        "token": _("token"),
        "system": _("the system itself"),
    }


@lru_cache
def field_labels(locale: str) -> Mapping[str, str]:
    """What people call a field. One that is not here is machinery and stays out of sight."""
    _ = words(locale).gettext
    return {
        "name": _("Name"),
        "slug": _("Short name"),
        "kind": _("Kind"),
        "zone": _("Time zone"),
        "parent_id": _("Under"),
        "scope": _("Closes"),
        "reason": _("Reason"),
        "ticket": _("Ticket"),
        "lifted_at": _("Lifted"),
        "discarded_at": _("Discarded"),
        "email": _("E-mail"),
        "password_hash": _("Password"),
        "second_factor": _("Second factor"),
        "locale": _("Language"),
        "theme": _("Theme"),
        "keys_on": _("Keyboard shortcuts"),
        "role": _("Role"),
        "sponsor_id": _("Sponsor"),
        "external_id": _("Id in their directory"),
        "withdrawn": _("Deleted by their directory"),
        "membership_number": _("Number of the membership"),
        "team_ids": _("Teams to join"),
        "lead": _("Team lead"),
        "team_id": _("Team"),
        "left_at": _("Left"),
        "host": _("Host"),
        "number": _("Number"),
        "membership_id": _("User"),
        "subject_membership_id": _("Becomes"),
        "phone_system_id": _("Phone system"),
        "extension_id": _("Extension"),
        "product_id": _("Product"),
        "app_admin": _("App admin"),
        "mode": _("Mode"),
        "ends_at": _("Ends"),
        "ended_at": _("Ended"),
        "ended_cause": _("Why it ended"),
        "type": _("Type"),
        "client_id": _("Client id"),
        "secret_hash": _("Secret"),
        "old_secret_hash": _("Earlier secret"),
        "old_secret_until": _("Earlier secret good until"),
        "jwks": _("Public keys"),
        "dpop": _("Tokens bound to a key"),
        "id_token_alg": _("ID tokens signed with"),
        "needs_extension": _("Needs an extension"),
        "admin_only": _("For app admins only"),
        "fallback_id": _("Falls back to"),
        "login_uri": _("Login address"),
        "redirect_uris": _("Redirect addresses"),
        "post_logout_redirect_uris": _("Addresses after logout"),
        "handoff_uri": _("Hand-off address"),
        "backchannel_logout_uri": _("Logout notice address"),
        "signals_uri": _("Security events address"),
        "signals_token": _("Security events token"),
        "first_party": _("First party"),
        "exchanges": _("Exchanges tokens"),
        "scopes": _("Scopes"),
        "expires_at": _("Expires"),
        "revoked_at": _("Revoked"),
        "accepted_at": _("Accepted"),
        "policy_stand_ins": _("Standing in"),
        "policy_look": _("Looking only"),
        "policy_binding_reach": _("Binding from above"),
        "policy_reason": _("Reason asked for"),
        "policy_ticket": _("Ticket asked for"),
        "policy_second_factor": _("Second factor asked for"),
        "policy_notice": _("Notice to the user"),
        "notices_muted": _("Letters about stand-ins turned off"),
        "wanted": _("Looser rules"),
        "to_tenant_id": _("Let in"),
        "operator_id": _("Let in, by digits"),
        "digits": _("Spoken digits"),
        "asked_by_id": _("Asked by"),
        "approved_by_id": _("Approved by"),
        "approved_at": _("Approved"),
        "takes_effect_at": _("Takes effect"),
        "policy_binding_days": _("Longest binding, in days"),
        "policy_minutes": _("Longest impersonation, in minutes"),
        "policy_require_factor": _("Second factor needed to sign in"),
        "brand_name": _("Brand name"),
        "brand_hue": _("Brand colour"),
        "brand_support": _("Support contact"),
        "brand_logo": _("Logo"),
        "email_verified_at": _("E-mail verified"),
        "factors_reset_at": _("Second factors reset"),
        "confirmed_at": _("Confirmed"),
        "sealed": _("Key of the authenticator app"),
        "credential_id": _("Passkey"),
        "public_key": _("Public key"),
        "transports": _("Reached by"),
        "agreed_at": _("Agreed"),
        "cancelled_at": _("Cancelled"),
        "applied_at": _("Applied"),
        "seats": _("Seats"),
        "e164": _("Inbound number"),
        "note": _("Note"),
        "direction": _("Direction"),
        "party": _("Other party"),
        "started_at": _("Began"),
        "seconds": _("Seconds"),
        "disposition": _("Disposition"),
        "notes": _("Notes"),
        "private": _("Private"),
        "title": _("Title"),
        "version": _("Version"),
        "url": _("Address"),
        "signals_status": _("Stream of security events"),
        "signals_requested": _("Security events asked for"),
        "events": _("Events"),
        "disabled_at": _("Disabled"),
    }


@lru_cache
def detail_labels(locale: str) -> Mapping[str, str]:
    """Facts of an act that are no change of a field."""
    _ = words(locale).gettext
    return {
        "rule": _("rule %(value)s"),
        "to": _("let in: %(value)s"),
        "cause": _("cause: %(value)s"),
        "product": _("product %(value)s"),
        "apps": _("apps: %(value)s"),
        "because": _("because of: %(value)s"),
        "path": _("at %(value)s"),
        "team": _("team %(value)s"),
        "format": _("as %(value)s"),
        "filters": _("filters: %(value)s"),
        "companies": _("companies: %(value)s"),
        "impersonations": _("impersonations ended: %(value)s"),
        "logins": _("logins ended: %(value)s"),
        "events": _("events: %(value)s"),
    }


def detail_words(entry: Entry, locale: str) -> list[str]:
    """The facts of an act, and its ticket, one phrase each."""
    labels = detail_labels(locale)
    said = [
        labels[key] % {"value": _joined(value)}
        for key, value in entry.details.items()
        if key in labels and value not in (None, [], {})
    ]
    return [*said, words(locale).gettext("ticket %(ticket)s") % {"ticket": entry.ticket}] if entry.ticket else said


def _joined(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def value_words(key: str, value: Any, zone: str, now: datetime, locale: str) -> str | None:
    """A stored value as people read it: times on the reader's clock, yes and no, lists with commas."""
    _ = words(locale).gettext
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if key in POLICIES:
        return str(POLICIES[key](value).name).lower().replace("_", " ")
    if key in YES_OR_NO:
        return _("yes") if value else _("no")
    if key == "jwks":
        return ", ".join(str(each.get("kid") or each.get("kty")) for each in value.get("keys", []))
    if key == "wanted":
        return _rules_wanted(value, locale)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, str) and key.endswith(("_at", "_until")):
        return moment_words(datetime.fromisoformat(value), zone, now, locale)
    return str(value)


def _rules_wanted(wanted: Mapping[str, list[Any]], locale: str) -> str:
    """The rules of a loosening, each as it was and as it is to be."""
    _ = words(locale).gettext
    labels = field_labels(locale)
    spoken = {True: _("yes"), False: _("no"), None: _("no limit")}

    def said(value: Any) -> str:
        return spoken[value] if value is None or isinstance(value, bool) else str(value).replace("_", " ")

    return "; ".join(
        f"{labels.get(f'policy_{name}', name)}: {said(before)} → {said(after)}"
        for name, (before, after) in wanted.items()
    )
