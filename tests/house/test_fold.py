"""The oracle of the stories about faults: does a row come out of its entries as it stands?"""

import shutil
import sqlite3
from pathlib import Path

from tenants.store import Store
from tests.cast import Cast, bind, house_work
from tests.conftest import Template
from tests.fold import misfits


async def test_the_cast_and_its_bindings_fold(store: Store, cast: Cast) -> None:
    await bind(store, cast, "Pia", "Dairy", "101", apps=["softphone"])
    await bind(store, cast, "Pia", "Dairy", "102")
    async with house_work(store) as session:
        assert await misfits(session) == []


async def test_a_value_that_no_entry_tells_is_seen(sqlite_template: Template, tmp_path: Path) -> None:
    file = tmp_path / "understudy.db"
    shutil.copyfile(sqlite_template.name, file)
    with sqlite3.connect(file) as behind_the_house:
        behind_the_house.execute("DROP TRIGGER users_changed")
        behind_the_house.execute("UPDATE users SET name = 'Mallory' WHERE name = 'Dan Dale'")
    behind_the_house.close()
    store = Store(f"sqlite:///{file}")
    async with house_work(store) as session:
        found = await misfits(session)
    await store.close()
    dan = sqlite_template.cast.user("Dan").id
    assert found == [f"users {dan}: name is 'Mallory', its entries say 'Dan Dale'"]
