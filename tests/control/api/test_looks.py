"""Brand and rules through the API: each with where it comes from, and a logo that is a picture."""

import io

import pytest
from PIL import Image

from tests.control.api.conftest import Api

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(written, "PNG")
    return written.getvalue()


async def test_olaf_brands_oak_and_bakery_inherits_it(api: Api) -> None:
    olaf, boris = await api.as_("Olaf"), await api.as_("Boris")
    oak, bakery = api.cast.tenant("Oak").id, api.cast.tenant("Bakery").id
    changed = await olaf.patch(f"/tenants/{oak}", {"brand": {"name": "Eiche", "hue": 140}})
    assert changed.json()["brand"] == {"name": "Eiche", "hue": 140, "support": None, "logo": None}
    shown = {each["part"]: each for each in (await olaf.get(f"/tenants/{bakery}/brand")).json()}
    assert shown["name"] == {
        "part": "name",
        "value": "Eiche",
        "set_by": {"id": oak, "name": "Oak"},
        "inherited": True,
    }
    below = {each["part"]: each for each in (await boris.get(f"/tenants/{bakery}/brand")).json()}
    assert (below["name"]["value"], below["name"]["set_by"]) == ("Eiche", None)
    again = await olaf.patch(f"/tenants/{oak}", {"brand": {"hue": None}})
    assert again.json()["brand"]["hue"] is None


async def test_a_brand_that_cannot_be_is_refused(api: Api) -> None:
    olaf, oak = await api.as_("Olaf"), api.cast.tenant("Oak").id
    for wrong in ({"hue": 360}, {"hue": -1}, {"hue": "red"}, {"name": "x" * 300}, {"logo": "0" * 64}, {"colour": 1}):
        assert (await olaf.patch(f"/tenants/{oak}", {"brand": wrong})).status_code == 422


async def test_a_logo_is_put_as_it_is_and_taken_back(api: Api) -> None:
    olaf, oak = await api.as_("Olaf"), api.cast.tenant("Oak").id
    put = await olaf.send("PUT", f"/tenants/{oak}/logo", content=picture())
    assert put.status_code == 200, put.text
    assert (await api.client.get(f"/brand/logo/{put.json()['logo']}.png")).status_code == 200
    assert (await olaf.delete(f"/tenants/{oak}/logo")).status_code == 204
    assert (await olaf.get(f"/tenants/{oak}")).json()["brand"]["logo"] is None
    refused = await olaf.send("PUT", f"/tenants/{oak}/logo", content=b"<svg onload='alert(1)'/>")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "logo")


async def test_elsa_and_opal_change_nothing_of_how_oak_looks(api: Api) -> None:
    elsa, opal, oak = await api.as_("Elsa"), await api.as_("Opal"), api.cast.tenant("Oak").id
    assert (await elsa.get(f"/tenants/{oak}/brand")).status_code == 404
    assert (await elsa.send("PUT", f"/tenants/{oak}/logo", content=picture())).status_code == 404
    assert (await opal.send("PUT", f"/tenants/{oak}/logo", content=picture())).status_code == 403
    assert (await elsa.get(f"/tenants/{oak}/policy")).status_code == 404


async def test_every_rule_says_where_it_comes_from(api: Api) -> None:
    olaf, boris = await api.as_("Olaf"), await api.as_("Boris")
    oak, bakery = api.cast.tenant("Oak").id, api.cast.tenant("Bakery").id
    tightened = await olaf.patch(f"/tenants/{oak}", {"policy": {"minutes": 10, "notice": "digest"}})
    assert (tightened.json()["policy"]["minutes"], tightened.json()["policy"]["notice"]) == (10, "digest")
    await boris.patch(f"/tenants/{bakery}", {"policy": {"minutes": 5}})
    rules = {each["rule"]: each for each in (await boris.get(f"/tenants/{bakery}/policy")).json()}
    assert (rules["minutes"]["value"], rules["minutes"]["set_by"]["name"]) == (5, "Bakery")
    assert (rules["notice"]["value"], rules["notice"]["own"]) == ("digest", "none")
    assert (rules["notice"]["set_by"], rules["notice"]["inherited"]) == (None, True)
    assert (rules["ticket"]["value"], rules["ticket"]["inherited"]) == (False, False)
    above = {each["rule"]: each for each in (await olaf.get(f"/tenants/{bakery}/policy")).json()}
    assert above["notice"]["set_by"] == {"id": oak, "name": "Oak"}
    for looser in ({"minutes": 6}, {"minutes": None}):
        refused = await boris.patch(f"/tenants/{bakery}", {"policy": looser})
        assert (refused.status_code, refused.json()["rule"]) == (403, "policy")
    assert (await boris.patch(f"/tenants/{bakery}", {"policy": {"minutes": 21}})).status_code == 422
