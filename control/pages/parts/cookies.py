"""The cookies that say who somebody is: the sign-in's own, and a stranger's, which only keeps forms honest."""

from typing import Any

from litestar import Request, Response
from litestar.datastructures import Cookie

from control.settings import Settings
from control.visitor import Visitor
from tenants.credentials import new_secret
from tenants.sign_in import LONGEST

VISIT = 24 * 60 * 60
"""How long a stranger's cookie is kept, in seconds."""


def let_in(request: Request[Visitor, Any, Any], answer: Response[Any], secret: str) -> None:
    """Give the browser the secret of its new sign-in; what it had as a stranger goes."""
    settings: Settings = request.app.state.house.settings
    answer.set_cookie(_kept(settings, "sign-in", secret, int(LONGEST.total_seconds())))
    answer.set_cookie(_gone(settings, "visit"))


def see_out(request: Request[Visitor, Any, Any], answer: Response[Any]) -> None:
    """Take the sign-in's cookie back."""
    settings: Settings = request.app.state.house.settings
    answer.set_cookie(_gone(settings, "sign-in"))


def keep_half(request: Request[Visitor, Any, Any], answer: Response[Any], secret: str, seconds: int) -> None:
    """Remember that this browser's reader knew the password, until the second step."""
    answer.set_cookie(_kept(request.app.state.house.settings, "half", secret, seconds))


def half_way(request: Request[Visitor, Any, Any]) -> str:
    """What `keep_half` gave this browser; empty when there is nothing."""
    return request.cookies.get(request.app.state.house.settings.cookie("half"), "")


def drop_half(request: Request[Visitor, Any, Any], answer: Response[Any]) -> None:
    """The second step is done."""
    if half_way(request):
        answer.set_cookie(_gone(request.app.state.house.settings, "half"))


def visiting(request: Request[Visitor, Any, Any]) -> str | None:
    """Give a stranger something for the form's token to be made from; returns it when it is new.

    Without it a page elsewhere could send our sign-in form and sign its reader in as somebody else.
    """
    if request.user.csrf_seed:
        return None
    request.user.csrf_seed = new_secret()
    return request.user.csrf_seed


def remember_visit(request: Request[Visitor, Any, Any], answer: Response[Any], seed: str | None) -> None:
    """Keep what `visiting` made, with the page whose form depends on it."""
    if seed is not None:
        answer.set_cookie(_kept(request.app.state.house.settings, "visit", seed, VISIT))


def _kept(settings: Settings, name: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        key=settings.cookie(name),
        value=value,
        max_age=max_age,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.https,
    )


def _gone(settings: Settings, name: str) -> Cookie:
    """A browser takes a `__Host-` cookie back only by one that is as secure as it was."""
    return _kept(settings, name, "", 0)
