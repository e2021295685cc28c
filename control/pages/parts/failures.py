"""A password that was wrong: counted in a small transaction of its own, however many are tried at once."""

from control.house import House
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.people import User
from tenants.reach import Reach
from tenants.sign_in import Attempt, count_failure


async def count_wrong(house: House, visitor: Visitor, actor: Actor, attempt: Attempt, user: User | None) -> None:
    """Count one failure of this account from this network."""
    async with house.store.work(actor, Reach.everywhere("sign-in"), visitor.now) as session:
        await count_failure(session, attempt, user, visitor.now)
