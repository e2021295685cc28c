"""A company's provisioning keys: made after a proof, shown once, revoked at once."""

import re
from typing import Any
from typing import cast as cast_type

import httpx
import sqlalchemy as sa

from tenants.api_keys import ApiKey
from tests.cast import house_work
from tests.control.pages.test_standing_in import become
from tests.control.pages.visit import PANEL
from tests.control.visits import House


async def opens(pages: House, secret: str) -> int:
    """What the service answers to this key."""
    transport = httpx.ASGITransport(cast_type(Any, pages.panel.app))
    async with httpx.AsyncClient(transport=transport, base_url=PANEL) as client:
        answer = await client.get("/scim/v2/Users", headers={"Authorization": f"Bearer {secret}"})
    return answer.status_code


async def test_elsa_makes_a_key_for_zoos_directory_and_revokes_it(pages: House) -> None:
    elsa, page = await pages.visit("Elsa"), f"/companies/{pages.cast.tenant('Zoo').id}/provisioning"
    assert "No directory provisions this company yet." in await elsa.read(page)
    made = await elsa.post(page, at=page, status=200, label="Zoo's directory", days="30")
    found = re.search(r'id="provisioning-key">(understudy_[^<]+)<', made.text)
    assert found is not None
    assert await opens(pages, found[1]) == 200
    again = await elsa.get(page)
    assert found[1] not in again
    number = re.search(r"/provisioning/(\d+)/revoke", again)
    assert number is not None
    await elsa.post(f"{page}/{number[1]}/revoke", at=page)
    assert await opens(pages, found[1]) == 401


async def test_c8_who_stands_in_as_boris_makes_no_directorys_key_and_revokes_none(pages: House) -> None:
    page, boris = f"/companies/{pages.cast.tenant('Bakery').id}/provisioning", await pages.visit("Boris")
    made = await boris.post(page, at=page, status=200, label="Bakery's directory", days="30")
    found = re.search(r'id="provisioning-key">(understudy_[^<]+)<', made.text)
    number = re.search(r"/provisioning/(\d+)/revoke", await boris.get(page))
    assert found is not None
    assert number is not None
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    assert "Stop impersonating first" in await olaf.get(page, status=403)
    for path in (page, f"{page}/{number[1]}/revoke"):
        refused = await olaf.post(path, at="/home", status=403, label="Olaf's", days="30")
        assert "Stop impersonating first" in refused.text
        assert "understudy_" not in refused.text
    async with house_work(pages.store) as session:
        assert [each.name for each in await session.scalars(sa.select(ApiKey))] == ["Bakery's directory"]
    assert await opens(pages, found[1]) == 200


async def test_a_key_needs_a_name_and_some_days(pages: House) -> None:
    elsa, page = await pages.visit("Elsa"), f"/companies/{pages.cast.tenant('Zoo').id}/provisioning"
    for label, days in (("", "30"), ("Directory", "366"), ("Directory", "x")):
        refused = await elsa.post(page, at=page, status=422, label=label, days=days)
        assert "understudy_" not in refused.text
