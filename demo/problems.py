"""A page for whatever went wrong, in plain words."""

import logging
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response import Template

from demo.refusals import AnswerRejectedError, LoginRefusedError, PanelUnreachableError
from demo.visit import find_visit

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """What the page says, and its status."""

    status: int
    heading: str
    sentence: str
    detail: str = ""


def show_problem(request: Request[Any, Any, Any], raised: Exception) -> Template:
    """The page for `raised`, in the look of the app it happened at, where there is one."""
    try:
        visit = find_visit(request)
    except HTTPException:
        addresses = [f"http://{host}/" for host in request.app.state.apps]
        return Template("no_app.html", context={"addresses": addresses}, status_code=421)
    problem = _described(raised)
    page = visit.page("problem.html", problem.status, problem=problem)
    if problem.status == 503:
        page.headers["Retry-After"] = "5"
    return page


def _described(raised: Exception) -> Problem:
    match raised:
        case AnswerRejectedError():
            detail = "Nothing was changed. You can log in again."
            return Problem(400, "This login was stopped", raised.sentence, detail)
        case LoginRefusedError():
            return Problem(502, "The panel refused", raised.sentence, raised.description)
        case PanelUnreachableError():
            LOG.warning("the panel cannot be asked: %s", raised)
            sentence = "The panel does not answer, so this app cannot tell who you are."
            return Problem(503, "Please wait a moment", sentence, "Your login was left as it is. Try again.")
        case HTTPException():
            return Problem(raised.status_code, "That did not work", raised.detail)
        case _:
            LOG.error("unexpected", exc_info=raised)
            return Problem(500, "That did not work", "Something broke in this app.")
