"""Stop links: an address that ends one impersonation for whoever holds it. The mark in it is the right to do so."""

import hashlib
import hmac

from control.house import House


def stop_link(house: House, impersonation_id: int) -> str:
    """The whole address. Opening it ends nothing: the page there asks."""
    return house.link(f"/stop/{impersonation_id}.{_mark(house, str(impersonation_id))}")


def meant_by(house: House, ticket: str) -> int | None:
    """Which impersonation the end of such an address speaks of; None unless its mark is ours."""
    number, _, mark = ticket.partition(".")
    if not hmac.compare_digest(mark.encode(), _mark(house, number).encode()):
        return None
    return int(number)


def _mark(house: House, number: str) -> str:
    return hmac.new(house.settings.secret_key, b"stop:" + number.encode(), hashlib.sha256).hexdigest()[:32]
