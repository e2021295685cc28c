"""Every page of the panel, in one table: what it is called, where it is, and how it answers."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.cast import Cast


@dataclass(frozen=True)
class Known:
    """What the addresses of pages are made from: the cast, and what was made at Dairy for them."""

    cast: Cast
    entry_id: int
    binding_id: int
    playbook_id: int
    invitation_id: int
    impersonation_id: int
    webhook_id: int
    account_id: int


@dataclass(frozen=True)
class Place:
    """A page of the panel, behind the door `route`, and who looks at it."""

    name: str
    route: str
    query: str
    status: int
    who: str
    ids: dict[str, Callable[[Known], int]]

    def where(self, known: Known) -> str:
        """Its address."""
        address = self.route.replace("{rest:path}", "no/such/page").replace("{noun:str}", "bindings") + self.query
        for parameter, find in self.ids.items():
            address = address.replace(f"{{{parameter}:int}}", str(find(known)))
        return address


def at(
    name: str, route: str, query: str = "", *, status: int = 200, who: str = "Pia", **ids: Callable[[Known], int]
) -> Place:
    """A page behind a door, with the ids that its address needs."""
    return Place(name, route, query, status, who, ids)


def pia(known: Known) -> int:
    return known.cast.user("Pia").id


def dina(known: Known) -> int:
    return known.cast.user("Dina").id


def dairy(known: Known) -> int:
    return known.cast.tenant("Dairy").id


def hook(known: Known) -> int:
    return known.webhook_id


def till(known: Known) -> int:
    return known.account_id


def oak(known: Known) -> int:
    return known.cast.tenant("Oak").id


def pine(known: Known) -> int:
    return known.cast.tenant("Pine").id


def dairy_pbx(known: Known) -> int:
    return known.cast.phone_system_id("Dairy")


def dans_line(known: Known) -> int:
    return known.cast.extension("Dairy", "101").id


def playbook(known: Known) -> int:
    return known.playbook_id


def front(known: Known) -> int:
    return known.cast.teams["Front"]


def dairys_number(known: Known) -> int:
    return known.cast.numbers["+442079460201"]


def dairys_call(known: Known) -> int:
    return known.cast.recordings["dairy-1"]


def dan(known: Known) -> int:
    return known.cast.membership_id("Dan")


def pias(known: Known) -> int:
    return known.cast.membership_id("Pia")


def softphone(known: Known) -> int:
    return known.cast.app_id("softphone")


def dans_user(known: Known) -> int:
    return known.cast.user("Dan").id


def bea(known: Known) -> int:
    return known.cast.user("Bea").id


def entry(known: Known) -> int:
    return known.entry_id


def bound(known: Known) -> int:
    return known.binding_id


def over(known: Known) -> int:
    return known.impersonation_id


def offered(known: Known) -> int:
    return known.invitation_id


PLACES = (
    at("prove", "/prove"),
    at("second factor", "/account/second-factor"),
    at("passkeys", "/account/passkeys"),
    at("user security", "/users/{user_id:int}/security", user_id=dina),
    at("overview", "/"),
    at("home", "/home"),
    at("accesses", "/home/accesses"),
    at("find", "/find", "?q=dan"),
    at("users", "/users"),
    at("users none", "/users", "?q=nobody"),
    at("users filtered", "/users", "?state=all&role=member&sort=-seen"),
    at("user discard", "/users/{user_id:int}/discard", user_id=dina),
    at("users discard", "/users/discard", "?id={user_id:int}", user_id=dina),
    at("new user", "/users/new"),
    at("invitations", "/invitations"),
    at("invitation", "/invitations/{invitation_id:int}", invitation_id=offered),
    at("invitations to send", "/invitations/send"),
    at("letters", "/letters"),
    at("letters none", "/letters", "?q=nobody&stage=failed&kind=invitation"),
    at("user address", "/users/{user_id:int}/email", user_id=dans_user),
    at("own address", "/account/email"),
    at("forgot", "/forgot"),
    at("teams", "/teams"),
    at("teams none", "/teams", "?q=nothing"),
    at("new team", "/teams/new"),
    at("team", "/teams/{team_id:int}", who="Boris", team_id=front),
    at("user", "/users/{user_id:int}", user_id=pia),
    at("user bindings", "/users/{user_id:int}/bindings", user_id=pia),
    at(
        "user bindings chosen",
        "/users/{user_id:int}/bindings",
        "?phone_system={system_id:int}",
        user_id=pia,
        system_id=dairy_pbx,
    ),
    at("user history", "/users/{user_id:int}/history", user_id=pia),
    at("user accesses", "/users/{user_id:int}/accesses", user_id=dans_user),
    at("user of a neighbour", "/users/{user_id:int}", status=404, user_id=bea),
    at("companies", "/companies"),
    at("companies tree", "/companies", "?view=tree"),
    at("new company", "/companies/new"),
    at("company", "/companies/{tenant_id:int}", tenant_id=dairy),
    at("company edit", "/companies/{tenant_id:int}/edit", tenant_id=dairy),
    at("company members", "/companies/{tenant_id:int}/members", tenant_id=dairy),
    at("company provisioning", "/companies/{tenant_id:int}/provisioning", tenant_id=dairy),
    at("company service accounts", "/companies/{tenant_id:int}/service-accounts", tenant_id=dairy),
    at(
        "service account keys",
        "/companies/{tenant_id:int}/service-accounts/{account_id:int}/keys",
        tenant_id=dairy,
        account_id=till,
    ),
    at(
        "company member role",
        "/companies/{tenant_id:int}/members/{membership_id:int}/role",
        tenant_id=dairy,
        membership_id=dan,
    ),
    at(
        "company member end",
        "/companies/{tenant_id:int}/members/{membership_id:int}/end",
        tenant_id=dairy,
        membership_id=dan,
    ),
    at("company extensions", "/companies/{tenant_id:int}/extensions", tenant_id=dairy),
    at("company phone systems", "/companies/{tenant_id:int}/phone-systems", tenant_id=dairy),
    at("company history", "/companies/{tenant_id:int}/history", tenant_id=dairy),
    at("company discard", "/companies/{tenant_id:int}/discard", tenant_id=dairy),
    at("company policy", "/companies/{tenant_id:int}/policy", tenant_id=dairy),
    at("company consents", "/companies/{tenant_id:int}/consents", tenant_id=dairy),
    at("company webhooks", "/companies/{tenant_id:int}/webhooks", tenant_id=dairy),
    at("new webhook", "/companies/{tenant_id:int}/webhooks/new", tenant_id=dairy),
    at("webhook", "/webhooks/{webhook_id:int}", webhook_id=hook),
    at("webhook secret", "/webhooks/{webhook_id:int}/secret", webhook_id=hook),
    at("webhook discard", "/webhooks/{webhook_id:int}/discard", webhook_id=hook),
    at("break glass", "/break-glass", who="Ada"),
    at("break glass new", "/break-glass/new", "?membership={membership_id:int}", who="Ada", membership_id=dan),
    at("company branding", "/companies/{tenant_id:int}/branding", tenant_id=dairy),
    at("company siblings", "/companies/{tenant_id:int}/siblings", tenant_id=dairy),
    at("company suspend", "/companies/{tenant_id:int}/suspend", tenant_id=dairy),
    at("company suspensions", "/companies/{tenant_id:int}/suspensions", tenant_id=dairy),
    at("company move", "/companies/{tenant_id:int}/move", who="Ada", tenant_id=dairy),
    at(
        "company move to",
        "/companies/{tenant_id:int}/move",
        "?parent={parent_id:int}",
        who="Ada",
        tenant_id=dairy,
        parent_id=oak,
    ),
    at("extensions", "/extensions"),
    at("new extension", "/extensions/new"),
    at("extension", "/extensions/{extension_id:int}", extension_id=dans_line),
    at("extension discard", "/extensions/{extension_id:int}/discard", extension_id=dans_line),
    at("extension history", "/extensions/{extension_id:int}/history", extension_id=dans_line),
    at("phone systems", "/phone-systems"),
    at("new phone system", "/phone-systems/new"),
    at("phone system", "/phone-systems/{system_id:int}", system_id=dairy_pbx),
    at("phone system move", "/phone-systems/{system_id:int}/move", system_id=dairy_pbx),
    at(
        "phone system move to",
        "/phone-systems/{system_id:int}/move",
        "?owner={tenant_id:int}",
        system_id=dairy_pbx,
        tenant_id=pine,
    ),
    at("phone system extensions", "/phone-systems/{system_id:int}/extensions", system_id=dairy_pbx),
    at("phone system history", "/phone-systems/{system_id:int}/history", system_id=dairy_pbx),
    at("orphans", "/phone-systems/orphans"),
    at("mend orphans", "/phone-systems/orphans/mend", "?kind=licences", status=409),
    at("phone system discard", "/phone-systems/{system_id:int}/discard", system_id=dairy_pbx),
    at("company licences", "/companies/{tenant_id:int}/licences", tenant_id=dairy),
    at("recordings", "/recordings"),
    at("recording", "/recordings/{recording_id:int}", recording_id=dairys_call),
    at("recording reveal", "/recordings/{recording_id:int}/reveal", recording_id=dairys_call),
    at("recording history", "/recordings/{recording_id:int}/history", recording_id=dairys_call),
    at("numbers", "/numbers"),
    at("new number", "/numbers/new", "?company={tenant_id:int}", tenant_id=dairy),
    at("several numbers", "/numbers/lines", "?company={tenant_id:int}", tenant_id=dairy),
    at("number", "/numbers/{number_id:int}", number_id=dairys_number),
    at("number history", "/numbers/{number_id:int}/history", number_id=dairys_number),
    at("bindings", "/bindings"),
    at("bindings ended", "/bindings", "?state=ended"),
    at("binding", "/bindings/{binding_id:int}", binding_id=bound),
    at("playbooks", "/playbooks"),
    at("playbooks none", "/playbooks", "?q=nothing"),
    at("new playbook", "/playbooks/new"),
    at("playbook", "/playbooks/{playbook_id:int}", playbook_id=playbook),
    at("playbook older", "/playbooks/{playbook_id:int}", "?version=1", playbook_id=playbook),
    at("playbook edit", "/playbooks/{playbook_id:int}/edit", playbook_id=playbook),
    at("playbook compared", "/playbooks/{playbook_id:int}/compare", playbook_id=playbook),
    at("impersonations", "/impersonations"),
    at("impersonations past", "/impersonations", "?state=past"),
    at("impersonations none", "/impersonations", "?state=past&q=nobody"),
    at("impersonation rows", "/impersonations/rows"),
    at("impersonation", "/impersonations/{impersonation_id:int}", impersonation_id=over),
    at("sign in as", "/impersonations/new", "?membership={membership_id:int}", membership_id=dan),
    at("sign in as refused", "/impersonations/new", "?membership={membership_id:int}", membership_id=pias),
    at("what was done", "/impersonations/{impersonation_id:int}/done", who="Paul", impersonation_id=over),
    at("end all", "/impersonations/end-all", "?tenant={tenant_id:int}", tenant_id=dairy),
    at("stop the world", "/impersonations/stop-the-world", who="Ada"),
    at("history", "/history"),
    at("checkpoint", "/checkpoint"),
    at("history entry", "/history/{entry_id:int}", entry_id=entry),
    at("apps", "/apps"),
    at("new app", "/apps/new", who="Ada"),
    at("app", "/apps/{app_id:int}", who="Ada", app_id=softphone),
    at("app rules", "/apps/{app_id:int}/rules", who="Ada", app_id=softphone),
    at("app companies", "/apps/{app_id:int}/companies", app_id=softphone),
    at("app keys", "/apps/{app_id:int}/keys", who="Ada", app_id=softphone),
    at("signing keys", "/signing-keys", who="Ada"),
    at("app test", "/apps/{app_id:int}/test", who="Ada", app_id=softphone),
    at("app secret", "/apps/{app_id:int}/secret", who="Ada", app_id=softphone),
    at("app signals", "/apps/{app_id:int}/signals", who="Ada", app_id=softphone),
    at("app discard", "/apps/{app_id:int}/discard", who="Ada", app_id=softphone),
    at("resolve", "/resolve"),
    at("resolved", "/resolve", "?user=dina@dairy.example&app=softphone"),
    at("api docs", "/api-docs"),
    at("api docs found", "/api-docs", "?q=tenants"),
    at("api noun", "/api-docs/{noun:str}"),
    at("account", "/account"),
    at("profiles", "/account/profiles", who="Ben"),
    at("nowhere", "/{rest:path}", status=404),
)

ELSEWHERE = {
    "/sign-in/second-factor": "looked at in test_second_factor.py",
    "/account/second-factor/app": "looked at in test_second_factor.py",
    "/account/second-factor/app/remove": "looked at in test_second_factor.py",
    "/account/passkeys/{passkey_id:int}/remove": "looked at in test_second_factor.py",
    "/users/{user_id:int}/security/disable": "looked at in test_second_factor.py",
    "/sign-in": "looked at in test_notices.py",
    "/sign-in/{name:str}": "the page of /sign-in, in a brand",
    "/oauth/authorize": "its notices, consent and the posted answer are looked at in test_notices.py",
    "/oauth/logout": "looked at in test_notices.py",
    "/setup": "shut in a house that has people",
    "/join/{token:str}": "looked at in test_letters.py",
    "/reset/{secret:str}": "looked at in test_letters.py",
    "/email/confirm/{secret:str}": "looked at in test_letters.py",
    "/email/agree/{secret:str}": "looked at in test_letters.py",
    "/acting": "no page: asked by the script",
    "/impersonations/live": "no page: a stream for the script",
    "/stop/{ticket:str}": "looked at in test_embed.py",
}
"""Doors for browsers that are not in the table, and why."""
