"""Where to go next: a path of this panel alone, whatever a link says (open redirects, seed of many a phish)."""

from urllib.parse import unquote, urlsplit

LONGEST = 8000
_ROUNDS = 4
"""How often a path may be encoded over and over before it is refused as a trick."""
_NO_RETURN = ("/sign-in", "/sign-out", "/setup")


def local_path(wanted: str | None, otherwise: str = "/") -> str:
    """`wanted` when it is an address of this panel, else `otherwise`.

    It begins with a single "/", and holds no backslash or control character, plain or percent-encoded, that a
    browser or proxy might take for the start of another host.
    """
    if not wanted or len(wanted) > LONGEST or not wanted.startswith("/") or not _plain(wanted):
        return otherwise
    path = wanted.partition("?")[0].partition("#")[0]
    for _ in range(_ROUNDS):
        if path.startswith("//") or not _plain(path):
            return otherwise
        opened = unquote(path)
        if opened == path:
            break
        path = opened
    else:
        return otherwise
    return otherwise if path.rstrip("/") in _NO_RETURN else wanted


def _plain(text: str) -> bool:
    """No backslash, no white space, nothing that is not shown."""
    return "\\" not in text and text.isprintable() and " " not in text


def path_of(referer: str | None, public_url: str) -> str | None:
    """The panel's page that a form was sent from, when the browser says so and it was ours."""
    ours, theirs = urlsplit(public_url), urlsplit(referer or "")
    if (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
        return None
    return local_path(theirs.path + (f"?{theirs.query}" if theirs.query else ""), "") or None
