"""What the demo prints: who can sign in, and one thing to try."""

CAST = (
    ("Acme, the platform", "acme", "Ada admin, Axel auditor"),
    ("North, distributor", "north", "Nora admin"),
    ("  Oak, reseller", "oak", "Olaf admin, Opal operator"),
    ("    Bakery, customer", "bakery", "Boris admin, Bruno supervisor, Amos auditor, Bea 201, Ben 202"),
    ("    Clinic, customer", "clinic", "Clara admin, Cora 301"),
    ("South, distributor", "south", "Sven admin"),
    ("  Elm, reseller", "elm", "Elsa admin"),
    ("    Zoo, customer", "zoo", "Zoe 201"),
    ("Pine, direct reseller", "pine", "Pia admin 100, Paul operator, Pete 101"),
    ("  Dairy, customer", "dairy", "Dan 101, Dina 102"),
)
"""Each tenant, indented under its parent; the host of its people's addresses; and its people."""


def welcome(panel: str, apps: list[str], mailbox: str) -> str:
    """The text for a demo whose panel, apps and mailbox are at these addresses."""
    people = "\n".join(f"  {tenant:<24}{f'@{host}.example':<17} {who}" for tenant, host, who in CAST)
    addresses = "\n".join(f"  {address}" for address in apps)
    return f"""
Who can sign in, as <first name>@<tenant>.example, all with the password understudy-demo:

{people}

The panel is at {panel}, the apps that log in through it are at
{addresses}

The letters that the panel writes are at {mailbox}

To try: sign in to the panel as pia@pine.example, then Users -> Pia -> User Bindings -> Dairy PBX ->
101 -> Save. Now log in to the softphone: it shows Dan, extension 101, and says who acts. Release the
binding and load the softphone's page again: the login is gone, and the next one is Pia's own.

Or help for twenty minutes: sign in as olaf@oak.example, then Companies -> Bakery -> Members -> Bea ->
Impersonate -> Softphone. A new tab opens as Bea, with a red bar and Stop; closing the tab ends it too.

Ctrl-C ends the demo.
"""
