"""The outbox is emptied: sent once, tried again where it must be, and never lost."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from control.mail import delivery
from control.mail.delivery import CONNECT_WITHIN, HAND_OVER_WITHIN
from control.mail.sender import BATCH, sending
from tenants.letters import LAST_TRY, LEASE, PAUSES, Addressee, Letter, LetterKind, Stage, WrongWords
from tests.cast import Cast, house_work
from tests.conftest import ON_BOTH
from tests.control.mail.conftest import PANEL, Outbox
from tests.control.mail.post_office import PASSWORD, USER, PostOffice, part, post_office, self_made

ONE_DATABASE = pytest.mark.parametrize("backend", ["sqlite"])


@ONE_DATABASE
async def test_an_invitation_arrives_in_both_parts_under_the_house_name(outbox: Outbox, office: PostOffice) -> None:
    letter_id = await outbox.put()
    assert await outbox.send() == 1
    came = office.one()
    assert came["To"] == "Nina New <new@bakery.example>"
    assert came["From"] == "Understudy <no-reply@panel.voip.example>"
    assert came["Subject"] == "Olaf Oak invites you to Bakery"
    assert came["Auto-Submitted"] == "auto-generated"
    assert came["Message-ID"].startswith(f"<letter-{letter_id}-")
    assert office.senders == ["no-reply@panel.voip.example"]
    for kind in ("plain", "html"):
        assert f"{PANEL}/join/secret-of-the-link" in part(came, kind)
        assert "Your role there: Member." in part(came, kind)
        assert "28 Nov 2026, 09:00" in part(came, kind)


@ONE_DATABASE
async def test_what_a_sent_letter_said_is_gone_from_the_database(outbox: Outbox, office: PostOffice) -> None:
    letter_id = await outbox.put()
    assert (await outbox.letter(letter_id)).sealed is not None
    await outbox.send()
    sent = await outbox.letter(letter_id)
    assert (sent.stage, sent.sealed, sent.error, sent.tries) == (Stage.SENT, None, None, 1)
    assert await outbox.send() == 0
    assert len(office.came) == 1


@ONE_DATABASE
async def test_a_letter_whose_change_is_taken_back_is_never_sent(outbox: Outbox, office: PostOffice) -> None:
    async def fall() -> None:
        async with house_work(outbox.house.store, outbox.clock.now) as session:
            to, place = Addressee("bea@bakery.example", "Bea"), outbox.cast.tenant("Bakery").id
            kind, now = LetterKind.EMAIL_CHANGED, outbox.clock.now
            await outbox.house.letter(session, kind, to, place, now, email="b@b.example")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fall()
    assert await outbox.send() == 0
    assert not outbox.house.posted.is_set()


@ONE_DATABASE
async def test_a_caller_who_forgets_a_word_is_told_at_once(outbox: Outbox) -> None:
    with pytest.raises(WrongWords, match=r"missing .'until'"):
        await outbox.put(until="")
    with pytest.raises(WrongWords, match=r"unknown .'colour'"):
        await outbox.put(colour="red")


@ON_BOTH
async def test_of_two_senders_at_once_one_sends(outbox: Outbox, office: PostOffice) -> None:
    for number in range(2 * BATCH):
        await outbox.put(to=f"new{number}@bakery.example")
    sent = await asyncio.gather(*(outbox.send() for _ in range(4)))
    while await outbox.send():
        pass
    assert sum(sent) <= 2 * BATCH
    assert sorted(str(each["To"]) for each in office.came) == sorted(
        f"Nina New <new{number}@bakery.example>" for number in range(2 * BATCH)
    )


@ON_BOTH
async def test_a_letter_of_a_sender_that_died_is_due_again_after_its_lease(outbox: Outbox, office: PostOffice) -> None:
    letter_id = await outbox.put()
    async with house_work(outbox.house.store, outbox.clock.now) as session:
        assert [each.id for each in await Letter.take(session, outbox.clock.now, 5)] == [letter_id]
    outbox.clock.now += LEASE - timedelta(seconds=1)
    assert await outbox.send() == 0
    outbox.clock.pass_(seconds=1)
    assert await outbox.send() == 1
    assert len(office.came) == 1


def test_a_round_is_over_before_its_lease_is() -> None:
    assert LEASE.total_seconds() > BATCH * (CONNECT_WITHIN + HAND_OVER_WITHIN)


@ONE_DATABASE
async def test_a_busy_server_is_asked_again_after_growing_pauses_for_two_days(
    outbox: Outbox, office: PostOffice
) -> None:
    office.to_recipient = "451 4.3.0 Try again later"
    letter_id = await outbox.put()
    for pause in PAUSES:
        assert await outbox.send() == 1
        waiting = await outbox.letter(letter_id)
        assert (waiting.stage, waiting.error) == (Stage.WAITING, "busy 451 4.3.0 Try again later")
        outbox.clock.now += pause - timedelta(seconds=1)
        assert await outbox.send() == 0
        outbox.clock.pass_(seconds=1)
    await outbox.send()
    failed = await outbox.letter(letter_id)
    assert (failed.stage, failed.sealed, failed.tries) == (Stage.FAILED, None, len(PAUSES) + 1)
    assert sum(PAUSES, timedelta()) > timedelta(days=2)


@ONE_DATABASE
async def test_a_letter_that_was_put_off_arrives_with_the_same_number(outbox: Outbox, office: PostOffice) -> None:
    office.to_letter = "452 4.3.1 Disk full"
    letter_id = await outbox.put()
    await outbox.send()
    office.to_letter = "250 OK"
    outbox.clock.now += PAUSES[0]
    await outbox.send()
    assert office.one()["Message-ID"].startswith(f"<letter-{letter_id}-")
    assert (await outbox.letter(letter_id)).stage is Stage.SENT


@ONE_DATABASE
async def test_a_link_that_soon_ends_has_its_last_try_before_that(outbox: Outbox, office: PostOffice) -> None:
    office.to_recipient = "451 later"
    ends = outbox.clock.now + timedelta(hours=1)
    letter_id = await outbox.put(LetterKind.PASSWORD_RESET, expires_at=ends)
    for _ in range(4):
        await outbox.send()
        outbox.clock.now = (await outbox.letter(letter_id)).due_at
    assert outbox.clock.now == ends - LAST_TRY
    await outbox.send()
    assert (await outbox.letter(letter_id)).stage is Stage.FAILED


@ONE_DATABASE
async def test_a_letter_whose_link_has_ended_is_not_sent(outbox: Outbox, office: PostOffice) -> None:
    letter_id = await outbox.put(expires_at=outbox.clock.now + timedelta(days=7))
    outbox.clock.pass_(days=7)
    await outbox.send()
    failed = await outbox.letter(letter_id)
    assert (failed.stage, failed.error, failed.sealed, office.came) == (Stage.FAILED, "expired", None, [])


@ONE_DATABASE
@pytest.mark.parametrize("step", ["to_recipient", "to_letter"])
async def test_a_no_for_good_fails_at_once_and_is_kept_without_addresses_and_links(
    outbox: Outbox, office: PostOffice, step: str
) -> None:
    setattr(office, step, "550 5.1.1 <new@bakery.example>: no such user, see https://mail.example/why?u=new")
    letter_id = await outbox.put()
    await outbox.send()
    failed = await outbox.letter(letter_id)
    assert (failed.stage, failed.sealed) == (Stage.FAILED, None)
    assert failed.error == "refused 550 5.1.1 …: no such user, see …"


@ONE_DATABASE
async def test_one_refused_address_does_not_hold_up_the_others(outbox: Outbox, office: PostOffice) -> None:
    first, second = await outbox.put(to="a@bakery.example"), await outbox.put(to="b@bakery.example")
    take = office.handle_RCPT

    async def answer(server, session, envelope, address, options):  # type: ignore[no-untyped-def]
        office.to_recipient = "550 no" if address.startswith("a@") else "250 OK"
        return await take(server, session, envelope, address, options)

    office.handle_RCPT = answer  # type: ignore[method-assign]
    await outbox.send()
    assert (await outbox.letter(first)).stage is Stage.FAILED
    assert (await outbox.letter(second)).stage is Stage.SENT


@ONE_DATABASE
async def test_a_server_that_does_not_take_our_own_address_is_no_fault_of_the_letter(
    outbox: Outbox, office: PostOffice
) -> None:
    office.to_sender = "553 5.7.1 not owned by you"
    letter_id = await outbox.put()
    await outbox.send()
    waiting = await outbox.letter(letter_id)
    assert (waiting.stage, waiting.error) == (Stage.WAITING, "sender 553 5.7.1 not owned by you")


@ONE_DATABASE
async def test_a_server_that_hangs_up_is_called_again(outbox: Outbox, office: PostOffice) -> None:
    office.hang_up = True
    letter_id = await outbox.put()
    await outbox.send()
    assert (await outbox.letter(letter_id)).error == "connection SMTPServerDisconnected"
    office.hang_up = False
    outbox.clock.now += PAUSES[0]
    await outbox.send()
    assert len(office.came) == 1


@ONE_DATABASE
async def test_a_server_that_is_away_costs_one_call_however_many_letters_wait(
    outbox: Outbox, office: PostOffice
) -> None:
    away = outbox.with_(smtp_url="smtp://127.0.0.1:1")
    letters = [await away.put(to=f"new{number}@bakery.example") for number in range(3)]
    assert await away.send() == 3
    assert {(await away.letter(each)).error for each in letters} == {"connection SMTPConnectError"}
    outbox.clock.now += PAUSES[0]
    await outbox.send()
    assert len(office.came) == 3


@ONE_DATABASE
async def test_a_slow_server_is_given_up_in_time(
    outbox: Outbox, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "HAND_OVER_WITHIN", 0.05)
    office.silent = True
    letter_id, second = await outbox.put(), await outbox.put()
    await outbox.send()
    assert (await outbox.letter(letter_id)).error == "slow"
    assert (await outbox.letter(second)).error == "slow"
    assert office.tried == 1


@ONE_DATABASE
async def test_a_letter_goes_by_starttls_and_after_a_login(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_made(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    async with post_office(starttls=certificate.server, login=True) as office:
        where = f"panel%40voip.example:let%2Fme%3Ain@127.0.0.1:{office.port}?starttls=1"
        house = outbox.with_(smtp_url=f"smtp://{where}")
        await house.put()
        await house.send()
        assert (USER, PASSWORD) == ("panel@voip.example", "let/me:in")
        assert office.one()["From"] == "Understudy <panel@voip.example>"
        assert office.encrypted == [True]


@ONE_DATABASE
async def test_a_letter_goes_by_tls_from_the_start(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_made(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    async with post_office(tls=certificate.server) as office:
        for url in (f"smtps://127.0.0.1:{office.port}", f"smtp://127.0.0.1:{office.port}?tls=1"):
            house = outbox.with_(smtp_url=url)
            await house.put()
            await house.send()
        assert len(office.came) == 2


@ONE_DATABASE
@pytest.mark.parametrize("way", ["smtps://{}", "smtp://{}?starttls=1"])
async def test_a_certificate_that_nobody_vouches_for_gets_no_letter(outbox: Outbox, tmp_path: Path, way: str) -> None:
    certificate = self_made(tmp_path)
    tls = {"tls" if way.startswith("smtps") else "starttls": certificate.server}
    async with post_office(**tls) as office:
        house = outbox.with_(smtp_url=way.format(f"127.0.0.1:{office.port}"))
        letter_id = await house.put()
        await house.send()
        assert (await house.letter(letter_id)).error == "tls self-signed certificate"
        assert office.came == []


@ONE_DATABASE
async def test_without_starttls_where_it_is_asked_for_nothing_is_said(outbox: Outbox, office: PostOffice) -> None:
    house = outbox.with_(smtp_url=f"smtp://127.0.0.1:{office.port}?starttls=1")
    letter_id = await house.put()
    await house.send()
    assert (await house.letter(letter_id)).stage is Stage.WAITING
    assert (office.came, office.tried) == ([], 0)


@ONE_DATABASE
async def test_a_wrong_password_is_no_fault_of_the_letter(outbox: Outbox, tmp_path: Path) -> None:
    certificate = self_made(tmp_path)
    async with post_office(tls=certificate.server, login=True) as office:
        house = outbox.with_(smtp_url=f"smtps://panel:wrong@127.0.0.1:{office.port}?verify=0")
        letter_id = await house.put()
        await house.send()
        waiting = await house.letter(letter_id)
        assert waiting.stage is Stage.WAITING
        assert (waiting.error or "").startswith("login 535")


@ONE_DATABASE
async def test_an_address_in_another_script_needs_a_server_that_can_carry_it(
    outbox: Outbox, office: PostOffice
) -> None:
    letter_id = await outbox.put(to="βέα@bakery.example")
    await outbox.send()
    assert (await outbox.letter(letter_id)).error == "address"
    async with post_office(utf8=True) as able:
        house = outbox.with_(smtp_url=f"smtp://127.0.0.1:{able.port}")
        await house.put(to="βέα@bakery.example")
        await house.send()
        assert "βέα@bakery.example" in str(able.one()["To"])


@ONE_DATABASE
async def test_without_a_mail_server_letters_are_files_for_our_eyes_alone(outbox: Outbox, tmp_path: Path) -> None:
    house = outbox.with_(smtp_url=None)
    letter_id = await house.put()
    await house.send()
    (file,) = (tmp_path / "letters").iterdir()
    assert file.name == f"20261121-090000-{letter_id}.eml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "letters").stat().st_mode & 0o777 == 0o700
    assert b"Subject: Olaf Oak invites you to Bakery" in file.read_bytes()
    assert (await house.letter(letter_id)).stage is Stage.SENT


@ONE_DATABASE
async def test_a_folder_that_cannot_be_written_is_tried_again(outbox: Outbox, tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("a file where the folder should be")
    house = outbox.with_(smtp_url=None)
    letter_id = await house.put()
    await house.send()
    waiting = await house.letter(letter_id)
    assert (waiting.stage, waiting.error) == (Stage.WAITING, "folder File exists")


@ONE_DATABASE
async def test_a_letter_sealed_under_another_key_fails_and_says_so(outbox: Outbox, office: PostOffice) -> None:
    letter_id = await outbox.put()
    await outbox.with_(secret_key=b"another secret key, 32 bytes and more").send()
    assert (await outbox.letter(letter_id)).error == "unreadable"


@ONE_DATABASE
async def test_a_letter_that_cannot_be_written_waits_for_the_next_version(
    outbox: Outbox, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter_id = await outbox.put(link="https://elsewhere.example/phish")
    await outbox.send()
    waiting = await outbox.letter(letter_id)
    assert (waiting.stage, waiting.error, office.came) == (Stage.WAITING, "unwritten", [])


@ONE_DATABASE
async def test_a_committed_letter_wakes_the_sender_of_its_process(outbox: Outbox, office: PostOffice) -> None:
    async with sending(outbox.house):
        await outbox.put()
        await asyncio.wait_for(office.arrived.wait(), 20)
    assert office.one()["To"] == "Nina New <new@bakery.example>"


@ONE_DATABASE
async def test_the_sender_goes_on_after_a_fall(
    outbox: Outbox, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    falls = iter([True, False])
    any_due = Letter.any_due

    async def away(*given):  # type: ignore[no-untyped-def]
        if next(falls, False):
            raise sa.exc.OperationalError("SELECT", {}, OSError("the database is away"))
        return await any_due(*given)

    monkeypatch.setattr(Letter, "any_due", away)
    async with sending(outbox.house):
        await outbox.put()
        await asyncio.wait_for(office.arrived.wait(), 20)


@ONE_DATABASE
async def test_a_change_is_made_though_the_mail_server_is_away(outbox: Outbox, cast: Cast) -> None:
    away = outbox.with_(smtp_url="smtp://127.0.0.1:1")
    async with sending(away.house):
        letter_id = await asyncio.wait_for(away.put(), 5)
    assert (await away.letter(letter_id)).stage is Stage.WAITING


@ONE_DATABASE
async def test_who_is_told_to_stop_gives_back_what_was_not_tried(outbox: Outbox, office: PostOffice) -> None:
    letters = [await outbox.put(to=f"new{number}@bakery.example") for number in range(3)]
    sender = outbox.sender
    sender.stop()
    await sender.round(outbox.clock.now)
    assert office.came == []
    assert [(await outbox.letter(each)).tries for each in letters] == [0, 0, 0]
    assert await outbox.send() == 3
