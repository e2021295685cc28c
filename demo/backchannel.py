"""Where the panel tells an app that a login has ended: the next page says so, without asking anybody."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency

from demo.refusals import AnswerRejectedError
from demo.visit import Visit


@post("/backchannel-logout", status_code=200)
async def backchannel_logout(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Response[Any]:
    """Ends a login for a logout token that holds; 400 for any other (section 2.8). No cookie takes part in it."""
    token = (await request.form()).get("logout_token")
    try:
        if not isinstance(token, str):
            raise AnswerRejectedError("The logout token is missing.")
        sid = await visit.app.logouts.take(visit.app.party, token, visit.now)
    except AnswerRejectedError as rejected:
        said = {"error": "invalid_request", "error_description": rejected.sentence}
        return Response(said, status_code=400)
    visit.app.spells.end_login(sid)
    return Response(b"")
