"""Every event name with its sentence beside it, so that pages and trail cannot drift. No name is reused."""

from enum import StrEnum


class Verb(StrEnum):
    """What can be written down. `sentence` follows the actor's name and may use `{record}`."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> "Verb":
        """A verb is its name in the trail; the sentence is how people read it."""
        verb = str.__new__(cls, value)
        verb._value_ = value
        verb.sentence = sentence
        return verb

    TENANT_CREATED = "tenant.created", "created {record}"
    TENANT_CHANGED = "tenant.changed", "changed {record}"
    TENANT_SUSPENDED = "tenant.suspended", "suspended {record}"
    SUSPENSION_LIFTED = "tenant.suspension_lifted", "lifted a suspension of {record}"
    TENANT_DISCARDED = "tenant.discarded", "discarded {record}"
    TENANT_UNDISCARDED = "tenant.undiscarded", "undiscarded {record}"
    USER_CREATED = "user.created", "created the user {record}"
    USER_CHANGED = "user.changed", "changed the user {record}"
    USER_DISCARDED = "user.discarded", "discarded the user {record}"
    USER_UNDISCARDED = "user.undiscarded", "undiscarded the user {record}"
    PASSWORD_CHANGED = "user.password_changed", "changed the password of {record}"
    PASSWORD_REHASHED = "user.password_rehashed", "stored the password of {record} in a stronger form"
    MEMBERSHIP_CREATED = "membership.created", "added {record}"
    MEMBERSHIP_CHANGED = "membership.changed", "changed the membership of {record}"
    MEMBERSHIP_DISCARDED = "membership.discarded", "ended the membership of {record}"
    MEMBERSHIP_UNDISCARDED = "membership.undiscarded", "brought back the membership of {record}"
    TEAM_CREATED = "team.created", "created the team {record}"
    TEAM_CHANGED = "team.changed", "changed the team {record}"
    TEAM_MEMBER_ADDED = "team.member_added", "added {record} to a team"
    TEAM_MEMBER_CHANGED = "team.member_changed", "changed the place of {record} in a team"
    PHONE_SYSTEM_CREATED = "phone_system.created", "added the phone system {record}"
    PHONE_SYSTEM_CHANGED = "phone_system.changed", "changed the phone system {record}"
    PHONE_SYSTEM_DISCARDED = "phone_system.discarded", "discarded the phone system {record}"
    EXTENSION_CREATED = "extension.created", "added extension {record}"
    EXTENSION_CHANGED = "extension.changed", "changed extension {record}"
    EXTENSION_DISCARDED = "extension.discarded", "discarded extension {record}"
    PRODUCT_CREATED = "product.created", "added the product {record}"
    LICENCE_GRANTED = "licence.granted", "gave {record} a licence"
    LICENCE_CHANGED = "licence.changed", "changed the licence of {record}"
    LICENCE_WITHDRAWN = "licence.withdrawn", "took the licence of {record} back"
    APP_CREATED = "app.created", "registered the app {record}"
    APP_CHANGED = "app.changed", "changed the app {record}"
    APP_DISCARDED = "app.discarded", "discarded the app {record}"
    INVITATION_PREPARED = "invitation.prepared", "prepared an invitation for {record}"
    INVITATION_REVOKED = "invitation.revoked", "revoked the invitation of {record}"
    API_KEY_CREATED = "api_key.created", "made the API key {record}"
    API_KEY_REVOKED = "api_key.revoked", "revoked the API key {record}"
    SIGNED_IN = "sign_in.started", "signed in"
    SIGN_IN_FAILED = "sign_in.failed", "failed to sign in"
    SIGN_IN_THROTTLED = "sign_in.throttled", "was held back after too many failed sign-ins"
    SIGNED_OUT = "sign_in.ended", "signed out"
    SIGNED_OUT_EVERYWHERE = "sign_in.ended_everywhere", "signed out everywhere"
    PROFILE_CHOSEN = "sign_in.profile_chosen", "chose a profile"
    BOUND = "binding.made", "bound to {record}"
    BINDING_ENDED = "binding.ended", "ended the binding to {record}"
    LOGGED_IN = "login.started", "logged in to {record}"
    LOGIN_ENDED = "login.ended", "ended a login to {record}"
    LOGIN_REFUSED = "login.refused", "was refused a login to {record}"
    CODE_REPLAYED = "login.code_replayed", "sent a used code for {record} again"
    TOKEN_REPLAYED = "login.token_replayed", "sent a used refresh token for {record} again"
    REFUSED = "refused", "was refused"
    KEYS_ROTATED = "keys.rotated", "rotated the signing keys"
    HISTORY_EXPORTED = "history.exported", "exported history"
    EXTENSIONS_IMPORTED = "import.extensions", "imported extensions into {record}"
