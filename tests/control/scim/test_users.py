"""Users over SCIM: Elsa's directory keeps Zoo's people, and knows nobody else's."""

import sqlalchemy as sa

from tenants.invitations import Invitation
from tenants.letters import Letter
from tests.cast import house_work
from tests.control.scim.conftest import USER, Scim


async def letters_to(scim: Scim, address: str) -> int:
    async with house_work(scim.store) as session:
        found = await session.scalars(sa.select(Letter.to_address))
        return sum(1 for each in found if each == address)


async def test_elsa_provisions_somebody_who_is_told_by_the_number_of_their_membership(scim: Scim) -> None:
    elsa = await scim.of("Elsa", "Zoo")
    made = await elsa.invited("keeper@zoo.example", externalId="7", name={"givenName": "Kit", "familyName": "Keeper"})
    assert made["schemas"] == [USER]
    assert made["active"] is True
    assert made["emails"] == [{"value": "keeper@zoo.example", "primary": True}]
    found = await elsa.get(f"/Users/{made['id']}")
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("application/scim+json")
    assert found.headers["etag"] == found.json()["meta"]["version"]
    assert found.json() == made
