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
