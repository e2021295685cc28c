"""Who may look past the fence: read from the syntax trees, held against a list written by hand with the reasons.

The fence narrows what is asked through the ORM. Plain SQL and Core statements on tables pass it, and so does a
session opened with `Reach.everywhere`. Both are allowed to the files below and to no others.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("tenants", "bindings", "control")

Sources = dict[str, str]

PAST_THE_FENCE = {
    # The fence and what it is made of
    "tenants/reach.py": "the columns of the tree that the criteria themselves need",
    "tenants/fence.py": "asks where written rows lie, which the reach itself must not answer",
    "tenants/trail.py": "writes entries and numbers, and reads the place of then",
    "tenants/sealed_trail.py": "makes leaves of entries, wherever they lie",
    "tenants/trail_check.py": "holds the whole trail against what was sealed",
    "tenants/history.py": "walks positions (a time and an id) by the index; the entries are asked for within the fence",
    "tenants/store.py": "opens the database and its transactions",
    "tenants/schema.py": "brings the tables up to date before anybody has a reach",
    # The reach of one kind of record, in terms of another's table
    "tenants/people.py": "a person is in reach by their memberships; rank is asked of all of them",
    "tenants/phones.py": "a member's phone system and licences are found by their extension",
    "tenants/teams.py": "a member's teams are found by their places in them",
    "tenants/numbers.py": "a member's numbers are found by their extension",
    "tenants/invitations.py": "counts what an inviter has sent, wherever it lies by now",
    "tenants/seats.py": "limits set above the reader, and seats taken everywhere below a limit",
    "bindings/apps.py": "the apps of those above are everybody's below; a client id is single everywhere",
    "bindings/binding.py": "who may end it, whose subject it is; its logins end with it",
    # Closing, policy and liveness come from above
    "tenants/tree.py": "the line above a tenant: policy, closing and levels",
    "tenants/brands.py": "the brand of a place comes from those above it",
    "tenants/own_admins.py": "who appointed an admin, which may lie above the reader",
    "tenants/consents.py": "who let others in, named in the line; wrong digits of anybody are counted",
    "tenants/names.py": "the names of who was let in and by whom, who may lie above the reader",
    "tenants/layers.py": "which tenant a sign-in page belongs to, before anybody is known",
    "control/pages/brand_files.py": "a logo by its hash, for everybody",
    "control/pages/parts/layers.py": "which sign-in page a form came from, before anybody is known",
    "tenants/identities.py": "who somebody is right now, asked before there is a reach",
    "bindings/facts.py": "the guard's facts, in one statement",
    # Signing in, and the login path: before there is an actor, and hot
    "tenants/links.py": "spends a secret in one statement, for whoever holds it",
    "tenants/second_factors.py": "takes a code in one statement; an admin who resets them reaches nobody's codes",
    "tenants/passkeys.py": "a passkey is one person's in the whole house; its counter grows in one statement",
    "tenants/sign_in.py": "counts failures and known networks of anybody",
    "tenants/password_resets.py": "counts those who forgot, and the letters they were sent",
    "tenants/email_changes.py": "from whose line a change was asked for, which may lie above the reader",
    "bindings/claims_preview.py": "what an app would be told of somebody whom a login was resolved to",
    "bindings/resolving.py": "what a login gives, for a subject whom the person themselves cannot reach",
    "bindings/login.py": "begins and ends a login on the connection of the transaction",
    "bindings/app_consents.py": "whether somebody agreed, on the login path's connection; ends the logins of it",
    "bindings/codes.py": "redeems a code in one statement",
    "bindings/pushed_requests.py": "takes up and uses up a pushed request in one statement each",
    "bindings/tokens.py": "keeps and spends tokens, in one statement each",
    "bindings/grants.py": "the token endpoint, without an ORM session",
    "bindings/introspection.py": "one round trip",
    "bindings/standing.py": "how a login stands now, in one statement",
    "bindings/logout.py": "ends a login and its tokens",
    "bindings/minting.py": "mints and spends tokens, in one statement each; what an exchanged one is",
    "bindings/service_accounts.py": "a program's credentials, before anybody is known",
    "bindings/exchange.py": "whose token it is, before anybody is known; the login on the transaction's connection",
    "bindings/reaping.py": "which logins have reached their end, wherever they lie",
    "bindings/handoff.py": "the login of a hand-off, on the connection of the transaction",
    "control/sealing.py": "asks first, without a lock, whether anything waits to be sealed",
    "control/reaping.py": "asks first, without a lock, whether anything has run out",
    "control/api/token_api.py": "the bearer's own profiles, wherever they lie",
    "control/pages/sign_in.py": "where a pushed request leads back to, for the page's policy",
    "control/pages/standing_in.py": "the pointer of one's own sign-in to what it stands in by",
    "bindings/seen_proofs.py": "spends a proof in one statement",
    "bindings/client_proofs.py": "the keys of a client, before anybody is known",
    "bindings/keys.py": "reads the signing keys, which are nobody's",
    "bindings/logout_tokens.py": "which logins have ended that their apps are to be told of, wherever they lie",
    "bindings/presence.py": "an app's page tells of itself several times a minute, in one statement",
    "bindings/hints.py": "spends a hint in one statement",
    "bindings/notices.py": "notes on the login path's connection what somebody is to be told",
    "bindings/impersonation.py": "whose subject it is; its logins end with it",
    "bindings/moving.py": "what leads across the border of what moves, wherever it lies",
    "bindings/moving_phones.py": "ends logins, and lets the keys of one tenant wait for the end of the move",
    "bindings/endings.py": "ends sign-ins and logins, which are in nobody else's reach",
    "bindings/ending_all.py": "counts and ends the logins of bindings, which are in nobody else's reach",
    "bindings/recheck.py": "ends the logins of stale bindings, which are in nobody else's reach",
    "bindings/what_ends.py": "counts sign-ins, which are in nobody else's reach",
    "control/openid/issuer.py": "the login path's connection",
    "control/embed.py": "which app's pages may show the frame, before anybody is known",
    "control/openid/asking.py": "the login path's connection",
    "control/openid/continuing.py": "the profiles of who stands in, as themselves",
    "control/openid/login.py": "the login path's connection",
    "control/openid/logout.py": "the login path's connection",
    "control/openid/par.py": "the login path's connection",
    "control/visitor.py": "who comes to the door, by the hash of a cookie or key",
    "control/security_events.py": "the connection of the task that pushes events to apps, which are in nobody's reach",
    "bindings/unfit_logins.py": "ends logins, which are in nobody else's reach",
    "bindings/signal_streams.py": "an event that waits for an app, which is in nobody's reach",
    "bindings/security_events.py": "what waits for apps, which is in nobody's reach",
    "control/logouts.py": "the connection of the task that tells apps of logins that ended, wherever they lie",
    # The command line and set-up
    "tenants/extension_import.py": "fifty thousand rows in one transaction, each with its entry",
    "control/set_up.py": "whether a platform admin ever existed",
    "control/commands/doctor.py": "asks the database about itself",
    "control/commands/load.py": "makes a million tenants to measure with",
    "control/pages/app_test.py": "counts the refresh tokens of the reader's own test, which are in nobody's reach",
    "control/house.py": "asks whether the database is there",
    "control/pages/history.py": "narrows by path in the database's own collation, within the fence",
}

EVERYWHERE = {
    "bindings/keys.py": {"signing keys"},
    "bindings/logout.py": {"end a login"},
    "bindings/stopping.py": {"stop"},
    "control/pages/standing_in.py": {"stop"},
    "control/commands/opening.py": {"command line"},
    "control/pages/parts/failures.py": {"sign-in"},
    "control/mail/sender.py": {"letters"},
    "control/openid/continuing.py": {"ask who stands in how to go on"},
    "control/openid/login.py": {"log in to an app"},
    "control/openid/logout.py": {"log out of an app"},
    "control/pages/password.py": {"sign-in"},
    "control/pages/join.py": {"join"},
    "control/pages/forgot.py": {"forgotten password"},
    "control/writing/addresses.py": {"e-mail change"},
    "control/writing/loosenings.py": {"loosening"},
    "control/writing/stand_ins.py": {"notices of access"},
    "control/pages/parts/passkeys.py": {"sign-in"},
    "control/pages/security.py": {"disable second factors"},
    "control/pages/resolve.py": {"test a login"},
    "control/pages/setup.py": {"set-up"},
    "control/pages/stop_link.py": {"stop link"},
    "control/pages/sign_in.py": {"sign-in"},
    "control/seed.py": {"seed"},
    "control/visitor.py": {"door", "impersonation"},
    "control/reaping.py": {"reaper"},
    "control/checkpoints.py": {"published checkpoint"},
    "tenants/sealed_trail.py": {"sealer"},
    "control/webhooks.py": {"webhooks"},
    "control/openid/signals.py": {"stream of security events"},
    "control/api/token_api.py": {"token API"},
    "bindings/exchange.py": {"token exchange"},
}
"""Who opens a session without a fence, and the reason each gives."""

CORE = {"__table__", "exec_driver_sql", "hot"}
FUNCTIONS = {"text", "table"}
BULK = {"bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"}


def nodes(text: str) -> Iterator[ast.AST]:
    yield from ast.walk(_parsed(text))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def goes_past(text: str) -> bool:
    """Whether the file holds Core statements on tables, SQL as text, or a connection without a session."""
    return any(_is_table(node) or _is_sql(node) or _imports_sql(node) for node in nodes(text))


def _is_table(node: ast.AST) -> bool:
    """`Tenant.__table__`, `Record.metadata.tables`, or a connection past the session."""
    if not isinstance(node, ast.Attribute):
        return False
    return node.attr in CORE or (node.attr == "tables" and _named(node.value, "metadata"))


def _is_sql(node: ast.AST) -> bool:
    """`sa.text(…)`, `sa.table(…)` or `session.connection()`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    return node.func.attr == "connection" or (node.func.attr in FUNCTIONS and _named(node.func.value, "sa"))


def _imports_sql(node: ast.AST) -> bool:
    """Imported by name, the import gives them away."""
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("sqlalchemy"):
        return False
    return bool(FUNCTIONS & {alias.name for alias in node.names})


def _named(node: ast.AST, name: str) -> bool:
    return (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)


def reasons(text: str) -> set[str]:
    """What the file says when it asks for `Reach.everywhere`: each time one sentence, written out in the file."""
    found, written, called = set(), {}, set()
    for node in nodes(text):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            written.update({ast.unparse(target): str(node.value.value) for target in node.targets})
    for node in nodes(text):
        if isinstance(node, ast.Call) and _asks(node.func):
            called.add(node.func)
            said = ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else ""
            found.add(said or written.get(ast.unparse(node.args[0]), "nothing"))
    return found | {"never called" for node in nodes(text) if _asks(node) and node not in called}


def _asks(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "everywhere" and _named(node.value, "Reach")


def changes_reach(text: str) -> bool:
    """Whether the file touches the reach of a session that is open: its info's "reach", or info as a whole."""
    for node in nodes(text):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = node.targets
        if any(_is_reach(target) for target in targets):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _named(node.func.value, "info"):
            named = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if node.func.attr in {"update", "clear", "popitem"} or ("reach" in named and node.func.attr != "get"):
                return True
    return False


def _is_reach(target: ast.expr) -> bool:
    if isinstance(target, ast.Subscript) and _named(target.value, "info"):
        return not isinstance(target.slice, ast.Constant) or target.slice.value == "reach"
    return isinstance(target, ast.Attribute) and target.attr == "info"


def in_bulk(text: str) -> set[str]:
    """The session's bulk methods, which go round every hook."""
    return {node.attr for node in nodes(text) if isinstance(node, ast.Attribute) and node.attr in BULK}


@pytest.fixture(scope="module")
def house() -> Sources:
    files = [file for room in ROOMS for file in sorted((REPOSITORY / room).rglob("*.py"))]
    assert files
    return {file.relative_to(REPOSITORY).as_posix(): file.read_text(encoding="utf-8") for file in files}


def test_only_the_files_named_go_past_the_fence(house: Sources) -> None:
    assert {file for file, text in house.items() if goes_past(text)} == set(PAST_THE_FENCE)


@pytest.mark.parametrize(
    "text",
    [
        "rows = Tenant.__table__",
        "session.execute(sa.text('SELECT 1'))",
        "from sqlalchemy import text\nsession.execute(text('SELECT 1'))",
        "tree = sa.table('tenants')",
        "tree = Record.metadata.tables['tenants']",
        "connection.exec_driver_sql('SELECT 1')",
        "async with store.hot.connect() as connection: ...",
        "await session.connection()",
    ],
)
def test_a_way_past_the_fence_is_seen(text: str) -> None:
    assert goes_past(text)


@pytest.mark.parametrize(
    "text",
    [
        "sa.select(Tenant).where(Tenant.id == 1)",
        "page.text()",
        "row.table",
        "'SELECT 1'",
        "names = clean(text)",
        "yield text()",
    ],
)
def test_what_the_fence_narrows_is_no_fault(text: str) -> None:
    assert not goes_past(text)


def test_only_those_named_ask_for_everywhere_and_say_why(house: Sources) -> None:
    asked = {file: reasons(text) for file, text in house.items() if file != "tenants/reach.py"}
    assert {file: said for file, said in asked.items() if said} == EVERYWHERE


def test_asking_for_everywhere_is_seen() -> None:
    assert reasons("reach = Reach.everywhere('because')") == {"because"}
    assert reasons("why = 'because'\nreach = reach_module.Reach.everywhere(why)") == {"because"}
    assert reasons("reach = Reach.everywhere(why)") == {"nothing"}
    assert reasons("open_with = Reach.everywhere") == {"never called"}
    assert reasons("reach = actor.reach()") == set()


def test_nobody_changes_the_reach_of_an_open_session(house: Sources) -> None:
    assert [file for file, text in house.items() if changes_reach(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "session.info['reach'] = Reach.nothing()",
        "session.sync_session.info['reach'] = wider",
        "session.info[key] = wider",
        "session.info.update(reach=wider)",
        "session.info.setdefault('reach', wider)",
        "session.info.pop('reach')",
        "del session.info['reach']",
        "session.info = {}",
    ],
)
def test_a_change_of_reach_is_seen(text: str) -> None:
    assert changes_reach(text)


@pytest.mark.parametrize(
    "text", ["session.info['actor'] = actor", "reach = session.info['reach']", "session.info.get('reach', nothing)"]
)
def test_reading_it_or_naming_the_actor_is_no_fault(text: str) -> None:
    assert not changes_reach(text)


def test_nobody_uses_the_methods_that_go_round_the_hooks(house: Sources) -> None:
    assert {file: in_bulk(text) for file, text in house.items() if in_bulk(text)} == {}
    assert in_bulk("session.bulk_save_objects(rows)") == {"bulk_save_objects"}
