"""Brands: each part from the nearest above that sets it, and only safe addresses become links."""

import pytest

from tenants.brands import HOUSE_HUE, brand_of, contact_href, set_brand
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import Cast, house_work


async def test_a_brand_comes_from_the_nearest_above_that_sets_each_part(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        await set_brand(session, await session.get_one(Tenant, cast.tenant("North").id), {"name": "Nordfon", "hue": 20})
        await set_brand(session, await session.get_one(Tenant, cast.tenant("Oak").id), {"hue": 140})
        at_bakery = await brand_of(session, cast.tenant("Bakery").path)
        at_zoo = await brand_of(session, cast.tenant("Zoo").path)
    assert (at_bakery.name, at_bakery.hue) == ("Nordfon", 140)
    assert at_bakery.sources["hue"].tenant_name == "Oak"
    assert (at_zoo.name, at_zoo.hue, dict(at_zoo.sources)) == ("Understudy", HOUSE_HUE, {})


@pytest.mark.parametrize(
    ("said", "href"),
    [
        ("help@oak.example", "mailto:help@oak.example"),
        ("https://help.oak.example/start?x=1", "https://help.oak.example/start?x=1"),
        ("tel:+442079460000", "tel:+442079460000"),
        ("+44 20 7946 0000", "tel:+442079460000"),
        ("http://help.oak.example", None),
        ("javascript:alert(1)", None),
        ("JavaScript:alert(1)//help@oak.example", None),
        ("data:text/html,<script>", None),
        ("https://oak.example@evil.example/", None),
        ('https://oak.example/" onclick="x', None),
        ("https://", None),
        ("https://[", None),
        ("//evil.example", None),
        ("tel:+44;ext=1<script>", None),
        ("Ask Olaf, desk 4", None),
    ],
)
def test_only_addresses_of_safe_kinds_become_links(said: str, href: str | None) -> None:
    assert contact_href(said) == href
