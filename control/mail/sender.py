"""The sender: the outbox of letters.

One may arrive twice, when the process or the database goes between the server's yes and our note of it; both then
carry the same Message-ID.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from control import metrics
from control.house import House
from control.mail.delivery import FOR_GOOD, OF_THE_SERVER, Carrier, Hitch, NotTaken, carrier
from control.mail.writing import paper_for, write
from control.outbox import Outbox
from tenants.actor import Actor
from tenants.letters import PAUSES, Letter
from tenants.reach import Reach
from tenants.sealing import Sealed

BATCH = 10
"""Letters of one round: all of them are handed over, or given up, within the lease."""

log = structlog.get_logger()


class Sender(Outbox):
    """Sends the letters of one house: one after the other, over one connection."""

    name = "letters"
    poll = 5.0
    farewell = 5.0

    def __init__(self, house: House) -> None:
        super().__init__(house, house.posted)

    async def round(self, now: datetime) -> int:
        """Send what is due at `now`, at most BATCH letters; returns how many there were."""
        async with self._work(now, writes=False) as session:
            if not await Letter.any_due(session, now):
                return 0
        async with self._work(now) as session:
            letters = await Letter.take(session, now, BATCH)
        settings = self.house.settings
        async with carrier(settings.mail_server, settings.data_dir, settings.host) as carries:
            await self._send_all(letters, carries, now)
        if letters:
            # There may be more than those.
            self.woken.set()
        return len(letters)

    async def _send_all(self, letters: Sequence[Letter], carries: Carrier, now: datetime) -> None:
        """One after the other. What is wrong with the server is not tried again with each of them."""
        away: NotTaken | None = None
        for letter in letters:
            if self.ending:
                await self._give_back(letter, now)
                continue
            trouble = self._too_late(letter, now) or away or await self._send(letter, carries, now)
            if trouble is not None and trouble.hitch in OF_THE_SERVER:
                away = trouble
            await self._note(letter, trouble, now)

    def _too_late(self, letter: Letter, now: datetime) -> NotTaken | None:
        """What it says has expired, or it has been tried more often than it is ever put off: it ends senders."""
        expired = letter.expires_at is not None and letter.expires_at <= now
        return NotTaken(Hitch.EXPIRED) if expired or letter.tries > len(PAUSES) + 1 else None

    async def _send(self, letter: Letter, carries: Carrier, now: datetime) -> NotTaken | None:
        """Write it and hand it over; returns what went wrong."""
        settings = self.house.settings
        try:
            async with self._work(now, writes=False) as session:
                paper = await paper_for(session, self.house, letter)
            message = write(letter, letter.words(settings.secret_key), paper, now)
        except Sealed:
            return NotTaken(Hitch.UNREADABLE)
        except sa.exc.SQLAlchemyError:
            raise
        except Exception:
            # Ours to mend: the next version may be able to write it.
            log.exception("letter", letter=letter.id, kind=letter.kind)
            return NotTaken(Hitch.UNWRITTEN)
        try:
            name = f"{letter.created_at:%Y%m%d-%H%M%S}-{letter.id}"
            await carries.take(message, paper.sender, letter.address, name)
        except NotTaken as trouble:
            return trouble
        return None

    async def _note(self, letter: Letter, trouble: NotTaken | None, now: datetime) -> None:
        """Write down what became of it, unless another sender got it when our lease was over."""
        async with self._work(now) as session:
            held = await Letter.find(session, letter.id)
            if trouble is None:
                held.mark_sent(now)
            elif held.tries == letter.tries:
                (held.fail if trouble.hitch in FOR_GOOD else held.put_off)(now, str(trouble))
            outcome = held.stage.value if trouble is None or held.failed_at is not None else "put_off"
        metrics.count_letter(letter.kind, outcome)
        log.info("letter", letter=letter.id, kind=letter.kind, outcome=outcome, error=str(trouble or "") or None)

    async def _give_back(self, letter: Letter, now: datetime) -> None:
        async with self._work(now) as session:
            held = await Letter.find(session, letter.id)
            held.give_back(now)

    def _work(self, now: datetime, *, writes: bool = True) -> AbstractAsyncContextManager[AsyncSession]:
        return self.house.store.work(Actor.house("letters"), Reach.everywhere("letters"), now, writes=writes)


@asynccontextmanager
async def sending(house: House) -> AsyncIterator[None]:
    """Letters are sent as long as this is open."""
    async with Sender(house).running():
        yield
