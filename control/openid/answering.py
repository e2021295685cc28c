"""How an app is told what became of its request: by its own address, or by a form that is posted there."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.response import Redirect

from bindings.apps import origin_of
from control.openid.issuer import issuer_of, with_fields
from control.shell import page
from control.speech import speech
from control.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app is told, and where. `by_form` says that it is posted (OAuth 2.0 Form Post Response Mode)."""

    to: str
    fields: dict[str, str]
    by_form: bool = False

    @property
    def address(self) -> str:
        """The app's address with the answer in its query."""
        return with_fields(self.to, self.fields)


def answer_to(
    request: Request[Visitor, Any, Any], to: str, state: str | None, said: dict[str, str], *, by_form: bool
) -> Answer:
    """An answer that names the issuer (RFC 9207) and returns the state."""
    returned = {"state": state} if state is not None else {}
    return Answer(to, said | returned | {"iss": issuer_of(request).url}, by_form)


def send(request: Request[Visitor, Any, Any], answer: Answer) -> Response[Any]:
    """Lead the browser to the app; after a form it goes and looks.

    The page that posts the answer is submitted by a script of ours, or by its button where none runs.
    """
    if not answer.by_form:
        return Redirect(answer.address, status_code=302 if request.method == "GET" else 303)
    shown = page(
        request,
        "login/form_post.html",
        forms_to=(origin_of(answer.to),),
        title=speech(request)("On to the app"),
        answer=answer,
        address=origin_of(answer.to),
    )
    # Who looks at where a form comes from sees the panel; our other pages tell nobody.
    shown.headers["Referrer-Policy"] = "strict-origin"
    return shown
