"""Call recordings through the API: taken in by a phone system's key, noted by the company, masked above it."""

import pytest

from tests.control.api.conftest import Api

PRIVATE = "bakery-2"


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


def external(answer: dict[str, list[dict[str, object]]]) -> list[object]:
    return [each["external_id"] for each in answer["items"]]


async def test_a_call_is_taken_in_once_however_often_it_is_told(api: Api) -> None:
    boris = await api.as_("Boris")
    call = {
        "tenant": api.cast.tenant("Bakery").id,
        "external_id": "pbx-77",
        "direction": "out",
        "party": "+442079460977",
        "started_at": "2026-11-20T10:00:00+01:00",
        "seconds": 75,
        "extension": api.cast.extension("Bakery", "202").id,
    }
    first, second = await boris.post("/recordings", call), await boris.post("/recordings", call | {"seconds": 1})
    assert (first.status_code, first.json()["user"]["name"], first.json()["extension"]) == (201, "Ben Bond", "202")
    assert first.json()["started_at"].startswith("2026-11-20T09:00:00")
    assert second.json() == first.json()
    elsewhere = await boris.post("/recordings", call | {"tenant": api.cast.tenant("Zoo").id})
    assert elsewhere.status_code == 404
    for wrong in ({"direction": "sideways"}, {"seconds": -1}, {"started_at": "yesterday"}, {"party": ""}):
        refused = await boris.post("/recordings", call | wrong | {"external_id": "pbx-78"})
        assert refused.status_code == 422, wrong


async def test_a_list_is_narrowed_by_what_is_asked(api: Api) -> None:
    olaf, bea = await api.as_("Olaf"), api.cast.membership_id("Bea")
    assert external((await olaf.get("/recordings")).json()) == ["bakery-3", "bakery-2", "bakery-1"]
    assert external((await olaf.get(f"/recordings?membership={bea}&direction=in")).json()) == ["bakery-1"]
    assert external((await olaf.get("/recordings?sort=seconds&limit=1")).json()) == ["bakery-2"]
    assert external((await olaf.get("/recordings?until=2026-09-21T12:00:00Z")).json()) == ["bakery-1"]
    assert external((await olaf.get("/recordings?q=202")).json()) == ["bakery-3"]
    assert external((await olaf.get("/recordings?q=7946%20Bea")).json()) == ["bakery-1"]
    assert (await olaf.get("/recordings?disposition=nonsense")).status_code == 422


async def test_a_private_one_is_masked_above_its_company_and_no_search_gives_it_away(api: Api) -> None:
    olaf, bea, path = await api.as_("Olaf"), await api.as_("Bea"), f"/recordings/{api.cast.recordings[PRIVATE]}"
    seen = (await olaf.get(path)).json()
    assert (seen["private"], seen["masked"], seen["party"], seen["notes"]) == (True, True, None, None)
    hers = (await bea.get(path)).json()
    assert (hers["masked"], hers["party"]) == (False, "+442079460902")
    assert external((await olaf.get("/recordings?q=79460902")).json()) == []
    assert external((await bea.get("/recordings?q=79460902")).json()) == [PRIVATE]
    refused = await olaf.patch(path, {"notes": "Overwritten"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "private")
    assert (await (await api.as_("Zoe")).get(path)).status_code == 404


async def test_olaf_looks_into_it_and_that_is_written_down(api: Api) -> None:
    olaf, path = await api.as_("Olaf"), f"/recordings/{api.cast.recordings[PRIVATE]}"
    told = (await olaf.post(f"{path}/reveal", once="look")).json()
    assert told["revealed"] == {"party": "+442079460902", "notes": None}
    assert "revealed" not in (await olaf.post(f"{path}/reveal", once="look")).json()
    assert (await olaf.get(path)).json()["party"] is None
    entries = (await (await api.as_("Boris")).get("/entries")).json()["items"]
    assert [each["verb"] for each in entries].count("recording.revealed") == 1
    assert (await (await api.as_("Opal")).post(f"{path}/reveal")).status_code == 403
    assert (await (await api.as_("Amos")).post(f"{path}/reveal")).status_code == 403


async def test_bruno_notes_and_bea_keeps_it_private(api: Api) -> None:
    bruno, bea, path = await api.as_("Bruno"), await api.as_("Bea"), f"/recordings/{api.cast.recordings['bakery-1']}"
    noted = (await bruno.patch(path, {"notes": "Refund due", "disposition": "complaint"})).json()
    assert (noted["notes"], noted["disposition"]) == ("Refund due", "complaint")
    assert external((await bruno.get("/recordings?q=refund")).json()) == ["bakery-1"]
    assert (await bea.patch(path, {"notes": "Mine"})).status_code == 403
    assert (await bea.send("PUT", f"{path}/private", {"private": True})).json()["private"] is True
    olaf = await api.as_("Olaf")
    assert external((await olaf.get("/recordings?q=refund")).json()) == []
    refused = await olaf.send("PUT", f"{path}/private", {"private": False})
    assert (refused.status_code, refused.json()["rule"]) == (403, "private")
    assert (await bruno.post(f"{path}/discard")).json()["discarded_at"] is not None
    assert "bakery-1" not in external((await bruno.get("/recordings")).json())
