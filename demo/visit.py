"""One request at one of the apps: which app it is for, and what that app remembers of the browser."""

from dataclasses import dataclass, field
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from litestar.response import Redirect, Template
from litestar.status_codes import HTTP_303_SEE_OTHER

from demo.logout_token import Logouts
from demo.relying_party import RelyingParty
from demo.spells import Spell, Spells

TITLES = {
    "softphone": ("Softphone", "Calls on your extension, in the browser."),
    "desk-client": ("Desk Client", "Your conversations, in one place."),
    "desk-admin": ("Desk Admin", "Sets up the desk for a whole company."),
}
HUES = {"softphone": 165, "desk-client": 255, "desk-admin": 320}


@dataclass(frozen=True)
class App:
    """One of the three: its names, its protocol side, and what it remembers of browsers."""

    client_id: str
    port: int
    party: RelyingParty
    spells: Spells = field(default_factory=Spells)
    logouts: Logouts = field(default_factory=Logouts)

    @property
    def host(self) -> str:
        """Host name and port, as browsers send them."""
        return f"{self.client_id}.localhost:{self.port}"

    @property
    def title(self) -> str:
        """What people call it."""
        return TITLES[self.client_id][0]

    @property
    def tagline(self) -> str:
        """What it would be for, were it more than a demo."""
        return TITLES[self.client_id][1]

    @property
    def cookie_name(self) -> str:
        """Has the port in it, since cookies do not tell ports apart and a second demo may run beside this."""
        return f"{self.client_id}-{self.port}"

    def cookie(self, name: str) -> Cookie:
        """Lax, so that it comes along when the panel sends the browser back, and with nobody's form."""
        return Cookie(key=self.cookie_name, value=name, path="/", httponly=True, samesite="lax")


class Visit:
    """One request's way to the app it is for, and to the spell of the browser that made it."""

    def __init__(self, app: App, name: str | None, now: float) -> None:
        self.app = app
        self.now = now
        self.spell = app.spells.find(name, now)
        self.name = name if name is not None and self.spell is not None else None

    def begin(self) -> Spell:
        """The spell, made now if there is none."""
        if self.spell is None:
            self.spell = Spell(used_at=self.now)
            self.name = self.app.spells.add(self.spell)
        return self.spell

    def page(self, template: str, status: int = 200, **context: Any) -> Template:
        """A page of this app."""
        return Template(template, context={"app": self.app, **context}, status_code=status)

    def go(self, url: str) -> Redirect:
        """Sends the browser on, with the spell's present name."""
        cookies = [self.app.cookie(self.name)] if self.name is not None else []
        return Redirect(url, status_code=HTTP_303_SEE_OTHER, cookies=cookies)


def find_visit(request: Request[Any, Any, Any]) -> Visit:
    """Finds the app by the Host header. Another name for this machine gets no app, and so no cookie."""
    app = request.app.state.apps.get(request.headers.get("host", ""))
    if app is None:
        raise HTTPException("No demo app has this address.", status_code=421)
    return Visit(app, request.cookies.get(app.cookie_name), request.app.state.clock())
