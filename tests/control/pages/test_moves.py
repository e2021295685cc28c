"""Moving on the pages: where to, what it would do, a fresh proof, and the second mover who is told."""

from tests.cast import bind
from tests.control.pages.visit import words
from tests.control.visits import House


async def test_ada_chooses_where_looks_and_moves_bakery(pages: House) -> None:
    ada, olaf, elsa = await pages.visit("Ada"), await pages.visit("Olaf"), await pages.visit("Elsa")
    bakery, oak, elm = [pages.cast.tenant(name).id for name in ("Bakery", "Oak", "Elm")]
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    assert f'href="/companies/{bakery}/move"' in await ada.get(f"/companies/{bakery}")
    where = await ada.get(f"/companies/{bakery}/move")
    assert f"/companies/{bakery}/move?parent={elm}" in where
    assert f"move?parent={oak}" not in where, "it is there already"
    at = f"/companies/{bakery}/move?parent={elm}"
    told = await ada.read(at)
    assert "Bindings 1 Olaf Olsen, Bea Bell, 201" in told
    assert "Only from a profile in the company itself" in told
    assert "People 5" in told
    answer = await ada.post(f"/companies/{bakery}/move", at=at, parent=str(elm), expected_parent=str(oak))
    assert answer.headers["location"] == f"/companies/{bakery}"
    assert (await olaf.ask(f"/companies/{bakery}")).status_code == 404
    assert "Elm" in await elsa.read(f"/companies/{bakery}")
    assert "moved Bakery" in await ada.read(f"/companies/{bakery}/history")


async def test_the_second_mover_is_told_and_nothing_is_moved(pages: House) -> None:
    """B31"""
    first, second = await pages.visit("Ada"), await pages.visit("Ada")
    bakery, oak, elm, pine = [pages.cast.tenant(name).id for name in ("Bakery", "Oak", "Elm", "Pine")]
    at = f"/companies/{bakery}/move?parent={elm}"
    await second.visit.open(f"/companies/{bakery}/move?parent={pine}")
    await first.post(f"/companies/{bakery}/move", at=at, parent=str(elm), expected_parent=str(oak))
    late = await second.visit.send(f"/companies/{bakery}/move", {"parent": str(pine), "expected_parent": str(oak)})
    assert (late.status_code, "moved in the meantime" in words(late)) == (409, True)
    assert "It is under Elm now" in words(late)


async def test_an_old_proof_is_asked_again_and_the_choice_is_kept(pages: House) -> None:
    ada, (bakery, oak, elm) = (
        await pages.visit("Ada"),
        [pages.cast.tenant(name).id for name in ("Bakery", "Oak", "Elm")],
    )
    at = f"/companies/{bakery}/move?parent={elm}"
    await ada.visit.open(at)
    pages.clock.pass_(minutes=16)
    answer = await ada.visit.send(f"/companies/{bakery}/move", {"parent": str(elm), "expected_parent": str(oak)})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/prove?")
    assert f"parent%3D{elm}" in answer.headers["location"]
    assert "Oak" in await ada.read(f"/companies/{bakery}")


async def test_what_cannot_be_is_said_where_one_chooses(pages: House) -> None:
    ada, (oak, bakery, clinic) = (
        await pages.visit("Ada"),
        [pages.cast.tenant(name).id for name in ("Oak", "Bakery", "Clinic")],
    )
    for parent, status, sentence in ((oak, 409, "is Oak itself, or below it"), (clinic, 409, "or below it")):
        assert sentence in await ada.read(f"/companies/{oak}/move?parent={parent}", status=status)
    assert "cannot sit under a customer" in await ada.read(f"/companies/{bakery}/move?parent={clinic}", status=422)
    await ada.post(f"/companies/{bakery}/move", at=f"/companies/{bakery}/move", status=422, parent=str(oak))


async def test_nobody_moves_their_own_organization(pages: House) -> None:
    olaf, oak = await pages.visit("Olaf"), pages.cast.tenant("Oak").id
    assert "/move" not in await olaf.get(f"/companies/{oak}")
    assert (await olaf.ask(f"/companies/{oak}/move")).status_code == 409


async def test_olaf_gives_bakerys_phone_system_to_clinic(pages: House) -> None:
    olaf, boris, system = await pages.visit("Olaf"), await pages.visit("Boris"), pages.cast.phone_system_id("Bakery")
    bakery, clinic = pages.cast.tenant("Bakery").id, pages.cast.tenant("Clinic").id
    assert f'href="/phone-systems/{system}/move"' in await olaf.get(f"/phone-systems/{system}")
    assert f"move?owner={clinic}" in await olaf.get(f"/phone-systems/{system}/move")
    at = f"/phone-systems/{system}/move?owner={clinic}"
    told = await olaf.read(at)
    assert "People who lose their extension 2 Bea Bell, 201; Ben Bond, 202" in told
    answer = await olaf.post(f"/phone-systems/{system}/move", at=at, owner=str(clinic), expected_owner=str(bakery))
    assert answer.headers["location"] == f"/phone-systems/{system}"
    assert "Clinic" in await olaf.read(f"/phone-systems/{system}")
    assert (await boris.ask(f"/phone-systems/{system}")).status_code == 404
    assert "moved the phone system Bakery PBX" in await boris.read(f"/companies/{bakery}/history")


async def test_moving_a_phone_system_asks_for_a_fresh_proof(pages: House) -> None:
    olaf, system, clinic = (
        await pages.visit("Olaf"),
        pages.cast.phone_system_id("Bakery"),
        pages.cast.tenant("Clinic").id,
    )
    await olaf.visit.open(f"/phone-systems/{system}/move?owner={clinic}")
    pages.clock.pass_(minutes=16)
    sent = {"owner": str(clinic), "expected_owner": str(pages.cast.tenant("Bakery").id)}
    answer = await olaf.visit.send(f"/phone-systems/{system}/move", sent)
    assert (answer.status_code, f"owner%3D{clinic}" in answer.headers["location"]) == (303, True)
