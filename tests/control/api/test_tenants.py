"""The tree through the API: who sees what, who may found, change and close it."""

from tests.cast import Cast
from tests.control.api.conftest import Api


async def test_olaf_lists_his_own_branch_and_no_more(api: Api) -> None:
    answer = await (await api.as_("Olaf")).get("/tenants")
    assert answer.status_code == 200, answer.text
    assert [each["name"] for each in answer.json()["items"]] == ["Bakery", "Clinic", "Oak"]
    assert answer.json()["next"] is None
