"""Branding: each part from the nearest above, logos that are only pictures, and colours that can be read."""

import io
import re

import pytest
import sqlalchemy as sa
from PIL import Image

from tenants.brands import set_brand
from tenants.logos import Logo
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import house_work
from tests.control.pages.visit import Panel, Visit, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (600, 300), "teal").save(written, "PNG")
    return written.getvalue()


async def upload(visit: Visit, path: str, content: bytes, name: str = "logo.png", kind: str = "image/png") -> int:
    """Send the branding form of the page that is open with a file."""
    visit.page = await visit.http.post(
        path,
        data={name: visit.hidden(name) for name in ("_csrf_token", "_acting", "_seen")},
        files={"logo": (name, content, kind)},
        headers={"Accept": "text/html"},
    )
    return visit.page.status_code


def branding(panel: Panel, name: str) -> str:
    return f"/companies/{panel.cast.tenant(name).id}/branding"


async def test_boris_sees_where_his_brand_comes_from_but_not_who_stands_above_him(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        oak = await session.get_one(Tenant, panel.cast.tenant("Oak").id)
        await set_brand(session, oak, {"name": "Eiche", "support": "help@oak.example"})
    boris = await panel.visit("Boris", branding(panel, "Bakery"))
    said = words(boris.shown)
    assert "Eiche set above you" in said
    assert "Oak" not in said
    assert 'href="mailto:help@oak.example"' in boris.shown.text
    olaf = await panel.visit("Olaf", branding(panel, "Bakery"))
    assert "Eiche from Oak" in words(olaf.shown)


async def test_olaf_brands_oak_and_everybody_below_sees_it_at_once(panel: Panel) -> None:
    path = branding(panel, "Oak")
    olaf = await panel.visit("Olaf", path)
    await olaf.follow(await olaf.send(path, {"name": "Eiche", "hue": "140", "support": "https://help.oak.example/"}))
    boris = await panel.visit("Boris", "/")
    assert "Eiche</title>" in boris.shown.text
    assert 'href="https://help.oak.example/"' in boris.shown.text
    style = re.search(r'href="(/brand/[0-9a-f]+\.css)"', boris.shown.text)
    assert style is not None
    answer = await panel.stranger().http.get(style[1])
    assert answer.text == ":root { --h: 140 }\n"
    assert "immutable" in answer.headers["cache-control"]
    lost = await boris.open("/no/such/page")
    assert style[1] in lost.text
    assert "Eiche" not in (await panel.visit("Zoe", "/home")).shown.text


async def test_an_entry_tells_what_became_of_a_brand(panel: Panel) -> None:
    path = branding(panel, "Oak")
    olaf = await panel.visit("Olaf", path)
    await olaf.send(path, {"name": "Eiche", "hue": "140", "support": ""})
    async with house_work(panel.store) as session:
        last = (await session.scalars(sa.select(Entry).order_by(Entry.id.desc()).limit(1))).one()
    assert (last.verb, last.actor_name) == ("tenant.changed", "Olaf Olsen")
    assert last.changes == {"brand_name": [None, "Eiche"], "brand_hue": [None, 140]}


async def test_a_part_can_be_inherited_again(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    await boris.send(path, {"name": "Brot", "hue": "10", "support": ""})
    await boris.open(path)
    await boris.follow(await boris.send(f"{path}/reset", {"part": "hue"}))
    assert "262° the panel's own" in words(boris.shown)
    assert "Brot set here" in words(boris.shown)
    assert (await boris.send(f"{path}/reset", {"part": "kind"})).status_code == 422


async def test_what_is_no_hue_is_refused(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    for hue in ("360", "-1", "1.5", "red", "٣", "1e2"):
        refused = await boris.send(path, {"name": "", "hue": hue, "support": ""})
        assert refused.status_code == 422
        assert "0 to 359" in words(refused)


async def test_a_brand_has_a_name_in_any_script(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    for name in ("Пекарня «Булка»", "مخبز بوريس", "面包店", "בורקס", "𝔅ä𝔠𝔨", "Ω" * 200, "<b>Brot</b> & Söhne"):
        await boris.follow(await boris.send(path, {"name": name, "hue": "", "support": ""}))
        assert name in words(boris.shown)
        assert "<b>Brot" not in boris.shown.text


async def test_a_name_that_cannot_be_shown_is_refused(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    for name in ("x" * 201, "Brot\u202egnp.exe", "Brot\x07", "x" * 10_000):
        assert (await boris.send(path, {"name": name, "hue": "", "support": ""})).status_code == 422


# --- Logos


async def test_a_logo_is_kept_and_served_as_what_it_is(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    assert await upload(boris, path, picture(), name="holiday.svg", kind="image/svg+xml") == 303
    async with house_work(panel.store) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        logo = (await session.scalars(sa.select(Logo))).one()
    assert bakery.brand_logo == logo.hash
    served = await panel.stranger().http.get(f"/brand/logo/{logo.hash}.png")
    assert served.headers["content-type"] == "image/png"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in served.headers["cache-control"]
    assert Image.open(io.BytesIO(served.content)).size == (256, 128)
    assert f'src="/brand/logo/{logo.hash}.png" alt="Understudy"' in (await boris.open("/")).text


async def test_what_is_no_logo_is_refused_and_nothing_is_kept(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    for content in (b"<svg><script>alert(1)</script></svg>", b"", picture()[:200]):
        assert await upload(boris, path, content) == 422
        assert 'id="error-logo"' in boris.shown.text
    async with house_work(panel.store) as session:
        assert (await session.scalars(sa.select(Logo.id))).first() is None


async def test_a_logo_that_is_far_too_large_never_gets_that_far(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    assert await upload(boris, path, b"\0" * (3 * 1024 * 1024)) == 413


async def test_brand_files_that_are_none_are_not_there(panel: Panel) -> None:
    stranger = panel.stranger()
    for path in (
        "/brand/x.css",
        "/brand/logo/x.png",
        f"/brand/logo/{'0' * 64}.png",
        "/brand/logo/..%2fx.png",
        "/brand/a",
    ):
        assert (await stranger.open(path)).status_code == 404


async def test_elsa_neither_sees_nor_changes_what_bakery_looks_like(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    elsa = await panel.visit("Elsa", branding(panel, "Zoo"))
    assert await upload(elsa, path, picture()) == 404
    assert (await elsa.open(path)).status_code == 404
    opal = await panel.visit("Opal", path)
    assert 'enctype="multipart' not in opal.shown.text
    assert (await opal.send(path, {"name": "Opal's"})).status_code == 403


async def test_who_saves_second_is_told_what_became_of_the_brand(panel: Panel) -> None:
    path = branding(panel, "Bakery")
    boris, olaf = await panel.visit("Boris", path), await panel.visit("Olaf", path)
    seen = {"_seen": boris.hidden("_seen")}
    await olaf.send(path, {"name": "Olaf's bread", "hue": "", "support": "", "_seen": olaf.hidden("_seen")})
    told = await boris.send(path, {"name": "Boris' bread", "hue": "", "support": "", **seen})
    assert told.status_code == 409
    assert "Olaf Olsen" in words(told)
    assert "Boris&#39; bread" in told.text
