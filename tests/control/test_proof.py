"""Proofs at the door: asked of people as themselves, a quarter of an hour old at most."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from control.proof import ProveFirst, require_proof
from control.visitor import Visitor
from tenants.actor import Actor, Via
from tenants.refusals import NotPermitted, ProofNeeded
from tenants.sign_in import FRESH, SignIn
from tests.cast import NOW, ORIGIN, Cast


@pytest.fixture
def backend() -> str:
    """One database is enough: nothing is asked of it but who is who."""
    return "sqlite"


def at_the_door(actor: Actor, proved: timedelta | None = None) -> Any:
    """Somebody at a door that asks for a proof, who gave one so long ago; a key gives none."""
    sign_in = None if proved is None else SignIn(proof_at=NOW - proved)
    return SimpleNamespace(
        user=Visitor(ORIGIN, NOW, actor, sign_in),
        route_handler=SimpleNamespace(opt={}),
        scope={"method": "GET"},
        url=SimpleNamespace(path="/apps/new", query="type=web"),
    )


async def test_a_fresh_proof_passes(cast: Cast) -> None:
    await require_proof(at_the_door(cast.actor("Olaf"), FRESH - timedelta(seconds=1)))


async def test_an_old_one_leads_to_the_proof_page_and_back(cast: Cast) -> None:
    with pytest.raises(ProveFirst) as asked:
        await require_proof(at_the_door(cast.actor("Olaf"), FRESH))
    assert (asked.value.status, asked.value.rule, asked.value.back) == (403, "proof", "/apps/new?type=web")


async def test_a_key_proves_nothing_and_is_told_where_to_go(cast: Cast) -> None:
    with pytest.raises(ProofNeeded, match="Do it in the panel") as refused:
        await require_proof(at_the_door(cast.actor("Olaf")))
    assert not isinstance(refused.value, ProveFirst)


async def test_b35_t52_while_standing_in_nobody_is_asked_for_a_password(cast: Cast) -> None:
    """Whose would it be? The way is to stop first."""
    olaf_as_bea = Actor(cast.identity("Olaf"), cast.identity("Bea"), Via.IMPERSONATION, ORIGIN)
    for proved in (timedelta(0), FRESH):
        with pytest.raises(NotPermitted, match="Stop impersonating first") as refused:
            await require_proof(at_the_door(olaf_as_bea, proved))
        assert refused.value.rule == "outlives"
