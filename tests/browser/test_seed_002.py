"""The second document, sentence by sentence: who manages users, what becomes of them, and what history keeps."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.async_api import Locator, Page, expect

from bindings.endings import discard_user
from control.cast import PASSWORD
from tenants.people import User
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.browser.conftest import Making, Opening
from tests.browser.demo_process import Demo
from tests.browser.histories import busy_day_of_nora, expect_change, line_of
from tests.browser.mailbox import follow_link, read_letter
from tests.browser.newcomers import Newcomer
from tests.browser.person import Person, expect_seen
from tests.browser.test_second_factor import code
from tests.cast import Cast, house_work, work_as

pytestmark = pytest.mark.browser

NEW_PASSWORD = "a long enough password"


# Browsing users


async def test_olaf_browses_the_users(somebody: Opening, newcomer: Making, demo: Demo, cast: Cast) -> None:
    """Click Users in the sidebar: name and e-mail, role, active or inactive, companies and teams, last sign-in."""
    gone = await newcomer("Gilda Gone", "Bakery")
    await discard(demo, cast, gone)
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await open_users(olaf)
    for column in ("Name", "Role", "State", "Companies and teams", "Last sign-in"):
        await expect(page.get_by_role("columnheader", name=column)).to_be_visible()
    ben, himself = row_of(page, "Ben Bond"), row_of(page, "Olaf Olsen")
    await expect(ben.get_by_role("rowheader")).to_contain_text("ben@bakery.example")
    for said in ("Member", "Active", "Bakery, Clinic", "Team Front"):
        await expect(ben).to_contain_text(said)
    await expect(himself.locator("[data-label='Last sign-in'] time")).to_be_visible()
    await expect(himself).to_contain_text("Admin")
    await expect(row_of(page, "Clara Cole")).to_be_visible()
    await expect(page.get_by_text("Zoe Zeller")).to_have_count(0)
    await expect(page.get_by_text("Gilda Gone")).to_have_count(0)
    await page.get_by_label("State", exact=True).select_option("discarded")
    await expect(row_of(page, "Gilda Gone")).to_contain_text("Discarded")


# Creating a user


async def test_olaf_creates_a_user_who_is_invited_and_comes_aboard(somebody: Opening) -> None:
    """New user, role and company memberships beforehand; the letter; the onboarding that everybody goes through."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await open_users(olaf)
    await page.get_by_role("link", name="New user").click()
    await page.locator("[name=name]").fill("Nina Novak")
    await page.locator("[name=email]").fill("nina@novak.example")
    await page.locator("[name=tenant]").select_option(label="Bakery")
    await page.locator("[name=role]").select_option("supervisor")
    await page.get_by_role("button", name="Add another company").click()
    await page.locator("[name=tenant-2]").select_option(label="Clinic")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("status")).to_contain_text("on its way to Nina Novak")

    nina = await somebody("Nina", called="Nina Novak", address="nina@novak.example")
    hers = await follow_link(nina, "Olaf Olsen invites you to", "/join/")
    await expect(hers.get_by_text("Bakery, as supervisor")).to_be_visible()
    await expect(hers.get_by_text("Clinic, as member")).to_be_visible()
    await expect(hers.get_by_label("Your name")).to_have_value("Nina Novak")
    await hers.get_by_label("Choose a password").fill(NEW_PASSWORD)
    await hers.get_by_role("button", name="Join Bakery, Clinic").click()
    await expect(hers.get_by_role("heading", name="Second factor")).to_be_visible()
    await (await somebody("Nina", called="Nina Novak", address="nina@novak.example")).sign_in(password=NEW_PASSWORD)

    nina_now = row_of(await open_users(olaf), "Nina Novak")
    await expect(nina_now).to_contain_text("Supervisor")
    await expect(nina_now).to_contain_text("Bakery, Clinic")


async def test_bruno_invites_into_bakery_and_nowhere_else(somebody: Opening) -> None:
    """Supervisors invite users into their company, as members."""
    bruno = await somebody("Bruno")
    await bruno.sign_in()
    page = await invite(bruno, "Mona May", "mona@may.example", "Bakery")
    mona = await somebody("Mona", called="Mona May", address="mona@may.example")
    hers = await follow_link(mona, "Bruno Brook invites you to Bakery", "/join/")
    await expect(hers.get_by_text("Bakery, as member")).to_be_visible()
    await page.goto("/users/new")
    assert await choices(page, "tenant") == ["Bakery"]
    assert await choices(page, "role") == ["Member"]


async def test_olaf_sends_an_invitation_again(somebody: Opening) -> None:
    """The letter that is sent again holds a new link, and the old one is worth nothing."""
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    page = await invite(olaf, "Rita Rowe", "rita@rowe.example", "Clinic")
    rita = await somebody("Rita", called="Rita Rowe", address="rita@rowe.example")
    hers = await follow_link(rita, "invites you to Clinic", "/join/")
    await expect(hers.get_by_role("button", name="Join Clinic")).to_be_visible()
    await page.get_by_role("button", name="Send the letter to Rita Rowe again").click()
    await expect(page.get_by_role("status")).to_be_visible()
    await hers.reload()
    await expect(hers.get_by_role("heading", name="This link cannot be used")).to_be_visible()
    await follow_link(rita, "invites you to Clinic", "/join/", newest_of=2)
    await expect(hers.get_by_role("button", name="Join Clinic")).to_be_visible()


# Editing a user


async def test_olaf_edits_a_user(somebody: Opening, newcomer: Making) -> None:
    """Click into a row; change the name, and the e-mail: the new address confirms, and the old one agrees."""
    hanna, olaf = await newcomer("Hanna Hart", "Clinic"), await somebody("Olaf")
    await olaf.sign_in()
    page = await open_user(olaf, hanna)
    await page.get_by_label("Name", exact=True).fill("Hanna Hall")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Hanna Hall", level=1)).to_be_visible()
    await page.get_by_role("link", name="Change the address").click()
    await page.get_by_label("New address").fill("hanna@hall.example")
    await page.get_by_role("button", name="Ask for the change").click()
    await expect(page.get_by_role("status")).to_contain_text("confirms first, then the old address is asked")

    hers = await somebody("Hanna", called="Hanna Hall", address="hanna@hall.example")
    letter = await follow_link(hers, "Confirm your new e-mail address", "/email/confirm/")
    await letter.get_by_role("button", name="Confirm hanna@hall.example").click()
    await expect(letter.get_by_role("heading", name="Confirmed")).to_be_visible()
    await follow_link(hers, "Somebody wants to change your e-mail address", "/email/agree/", to=hanna.email)
    await letter.get_by_role("button", name="Agree to hanna@hall.example").click()
    await expect(letter.get_by_role("heading", name="Your address is changed")).to_be_visible()
    await hers.sign_in()

    await page.reload()
    await expect(page.get_by_role("main")).to_contain_text("hanna@hall.example")
    await page.get_by_role("link", name="History").last.click()
    await expect_change(page, "changed the address of Hanna Hall", "E-mail", hanna.email, "hanna@hall.example")


async def test_olaf_changes_a_role_and_is_told_what_it_takes_along(somebody: Opening, newcomer: Making) -> None:
    """An operator who is bound to Ben becomes a plain member: the binding goes with the role, and Olaf reads so."""
    odile = await newcomer("Odile Orme", "Oak", Role.OPERATOR)
    hers, olaf = await somebody("Odile", called=odile.name, address=odile.email), await somebody("Olaf")
    await hers.sign_in()
    await hers.bind("Bakery PBX", "202")
    await olaf.sign_in()
    page = await open_user(olaf, odile)
    await page.get_by_role("link", name="Change the role at Oak").click()
    question = page.get_by_role("dialog")
    told = question.locator("label").filter(has_text="Their own profile and extension")
    await expect(told).to_contain_text("1 binding of theirs stops working.")
    await told.click()
    await question.get_by_role("button", name="Change role").click()
    await expect(row_of(page, "Odile Orme")).to_contain_text("Member")
    await hers.panel.goto("/users")
    await expect(hers.panel.get_by_role("heading", name="Users", level=1)).to_have_count(0)


async def test_olaf_has_a_reset_letter_sent_and_she_sets_a_new_password(somebody: Opening, newcomer: Making) -> None:
    rosa, olaf = await newcomer("Rosa Reed", "Bakery"), await somebody("Olaf")
    await olaf.sign_in()
    page = await open_user(olaf, rosa)
    await page.get_by_role("button", name="Send a password reset letter").click()
    await expect(page.get_by_role("status")).to_be_visible()
    hers = await somebody("Rosa", called=rosa.name, address=rosa.email)
    letter = await follow_link(hers, "Choose a new password", "/reset/")
    await letter.get_by_role("textbox", name="New password").fill(NEW_PASSWORD)
    await letter.get_by_role("button", name="Set the new password").click()
    await expect(letter.get_by_role("status")).to_be_visible()
    await hers.sign_in(password=NEW_PASSWORD)
    await expect(letter.get_by_role("heading", level=1)).to_be_visible()


# Disabling 2FA for a locked-out user


async def test_olaf_disables_the_second_factor_of_somebody_locked_out(
    somebody: Opening, newcomer: Making, demo: Demo, cast: Cast
) -> None:
    """Ticked, noted, the address typed and Olaf asked who he is; then she signs in and is asked for a new one."""
    lola, olaf = await newcomer("Lola Locke", "Bakery"), await somebody("Olaf")
    hers = await somebody("Lola", called=lola.name, address=lola.email)
    await hers.sign_in()
    await set_up_an_app(hers)
    await olaf.sign_in()
    page = await open_user(olaf, lola)
    await forget_the_proof(demo, cast, "Olaf")
    await page.get_by_role("link", name="Security").click()
    await page.get_by_role("link", name="Disable 2FA").click()
    await expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_label("I checked who is asking by another way than e-mail.").check()
    await page.get_by_label("How you checked").fill("Called her back on the desk phone")
    await page.get_by_label("Their address, typed").fill(lola.email)
    await page.get_by_role("button", name="Disable 2FA").click()
    await expect(page.get_by_role("status")).to_contain_text("The second factors of Lola Locke are disabled.")
    await page.get_by_role("link", name="History").last.click()
    noted = line_of(page, "disabled the second factors of Lola Locke")
    await expect(noted).to_contain_text("Called her back on the desk phone")

    letter = await read_letter(hers, "Your second factors were taken away")
    await expect(letter.locator("#plain")).to_contain_text("Set up a new second factor when you sign in next.")
    await hers.sign_in()
    await expect(hers.panel.get_by_role("main")).to_contain_text("Set up new ones now.")


# Deactivating a user


async def test_discard_ends_access_at_once_and_undiscard_brings_the_record_back(
    somebody: Opening, newcomer: Making
) -> None:
    dora = await newcomer("Dora Dean", "Bakery", phone=True)
    hers, olaf = await somebody("Dora", called=dora.name, address=dora.email), await somebody("Olaf")
    await hers.sign_in()
    softphone = await hers.log_in("softphone")
    await expect_seen(softphone, name="Dora Dean", extension=str(dora.number), tenant="Bakery")
    await olaf.sign_in()
    page = await open_user(olaf, dora)
    await page.get_by_role("link", name="Discard").click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("Dora Dean loses access at once.")
    await question.get_by_role("button", name="Discard").click()
    await expect(page.get_by_role("main")).to_contain_text("the record stays, the access is gone")

    await hers.panel.goto("/home")
    await expect(hers.panel.locator("[name=password]")).to_be_visible()
    await hers.look_at("softphone")
    await expect(softphone.locator("#signed-out")).to_be_visible()

    await page.get_by_role("link", name="History").last.click()
    await expect(line_of(page, "discarded the user Dora Dean")).to_contain_text("Olaf Olsen")
    await page.get_by_role("link", name="Profile").click()
    await page.get_by_role("button", name="Undiscard").click()
    await expect(page.get_by_role("status")).to_contain_text("Dora Dean is back, as a plain member.")
    await hers.sign_in()
    await expect(hers.panel.get_by_text("Dora Dean at Bakery")).to_be_visible()


# Auditing changes


async def test_every_kind_of_record_has_its_history(somebody: Opening, demo: Demo, cast: Cast) -> None:
    """Users, companies, organizations, memberships, inbound numbers, call recordings: each page has a History."""
    told = await busy_day_of_nora(demo, cast)
    nora = await somebody("Nora")
    await nora.sign_in()
    for path, changes in told.items():
        await nora.panel.goto(path)
        await expect(nora.panel.get_by_role("heading", name="History", level=2)).to_be_visible()
        for sentence, field, before, after in changes:
            await expect_change(nora.panel, f"Nora Nash {sentence}", field, before, after)


async def test_history_says_who_when_and_what_before_and_after(somebody: Opening, newcomer: Making) -> None:
    """And how: directly, or by a binding, under the name of who did it and of who they appeared as."""
    hugo, olaf = await newcomer("Hugo Hess", "Bakery"), await somebody("Olaf")
    await olaf.sign_in()
    page = await open_user(olaf, hugo)
    await page.get_by_label("Name", exact=True).fill("Hugo Hill")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="History").last.click()
    await expect_change(page, "Olaf Olsen changed the user Hugo Hill", "Name", "Hugo Hess", "Hugo Hill")
    line = line_of(page, "Olaf Olsen changed the user Hugo Hill")
    await expect(line.locator("time")).to_be_visible()
    await expect(line).to_contain_text("directly")

    await olaf.bind("Bakery PBX", "201")
    await expect((await olaf.log_in("softphone")).locator("#who")).to_have_text("Bea Bell")
    await page.goto("/history?how=binding")
    login = line_of(page, "Olaf Olsen, signed in as Bea Bell, logged in to")
    await expect(login).to_contain_text("via binding")


async def test_every_version_of_a_playbook_is_kept(somebody: Opening) -> None:
    boris = await somebody("Boris")
    await boris.sign_in()
    page = boris.panel
    await page.goto("/playbooks/new")
    await page.get_by_label("Title").fill("When the oven is cold")
    await page.get_by_role("textbox", name="Text").fill("Call Bea.\n\nTell the shop.")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_role("textbox", name="Text").fill("Call Ben.\n\nTell the shop.")
    await page.get_by_role("button", name="Save as a new version").click()
    versions = page.get_by_role("region", name="Versions")
    await expect(versions.get_by_role("listitem")).to_have_count(2)
    await versions.get_by_role("link", name="Compare versions").click()
    await expect(page.locator("del")).to_contain_text("Call Bea.")
    await expect(page.locator("ins")).to_contain_text("Call Ben.")
    await page.go_back()
    await versions.get_by_role("link", name="Version 1", exact=True).click()
    await expect(page.get_by_role("region", name="Text")).to_contain_text("Call Bea.")
    await page.get_by_role("button", name="Restore as a new version").click()
    await expect(versions.get_by_role("listitem")).to_have_count(3)
    await expect(versions).to_contain_text("restored from version 1")
    await expect(page.get_by_role("region", name="Text")).to_contain_text("Call Bea.")
    await expect_change(page, "restored an older version of the playbook", "Version", "2", "3")


async def test_every_change_of_a_field_in_thirty_days(somebody: Opening, newcomer: Making) -> None:
    """What engineering would be asked: every change of the role, and of billing, in the last 30 days."""
    wanda, olaf = await newcomer("Wanda West", "Bakery", Role.SUPERVISOR, phone=True), await somebody("Olaf")
    await olaf.sign_in()
    page = olaf.panel
    await page.get_by_role("navigation", name="Access").get_by_role("link", name="History").click()
    await page.get_by_label("Field", exact=True).select_option(label="Role")
    await page.get_by_role("link", name="30 days").click()
    await expect(page).to_have_url(re.compile(r"field=role.*from=\d{4}-\d\d-\d\d"))
    lines = page.locator("ol.log > li")
    await expect(lines.filter(has_text=f"added {wanda.name}")).to_contain_text("supervisor")
    await expect(lines.filter(has_not=page.locator("dt", has_text="Role"))).to_have_count(0)

    await page.get_by_label("Field", exact=True).select_option(label="Every field")
    await page.get_by_label("What", exact=True).select_option(label="Billing: licences, seats, products")
    granted = lines.filter(has_text=f"Softphone for {wanda.number}")
    await expect(granted).to_be_visible()
    await expect(page).to_have_url(re.compile(r"what=billing"))


# What these stories do more than once


async def open_users(person: Person) -> Page:
    """Users in the sidebar."""
    system = person.panel.get_by_role("navigation", name="System")
    await system.get_by_role("link", name="Users", exact=True).click()
    await expect(person.panel.get_by_role("heading", name="Users", level=1)).to_be_visible()
    return person.panel


async def open_user(person: Person, user: Newcomer) -> Page:
    """Click into their row."""
    page = await open_users(person)
    await row_of(page, user.name).get_by_role("link", name=user.name, exact=True).click()
    await expect(page.get_by_role("heading", name=user.name, level=1)).to_be_visible()
    return page


def row_of(page: Page, name: str) -> Locator:
    """The line of a list that is about this person."""
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader").filter(has_text=name))


async def invite(person: Person, name: str, email: str, company: str) -> Page:
    """New user, filled in: the letter is on its way."""
    page = person.panel
    await page.goto("/users/new")
    await page.locator("[name=name]").fill(name)
    await page.locator("[name=email]").fill(email)
    await page.locator("[name=tenant]").select_option(label=company)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("status")).to_contain_text(f"on its way to {name}")
    return page


async def choices(page: Page, name: str) -> list[str]:
    """What a list offers."""
    return await page.locator(f"select[name={name}] option:not([value=''])").all_inner_texts()


async def set_up_an_app(person: Person) -> None:
    """An authenticator app, from the account page to the recovery codes."""
    page = person.panel
    await page.goto("/account/second-factor")
    await page.get_by_role("button", name="Set up an authenticator app").click()
    key = (await page.get_by_label("Key", exact=True).input_value()).replace(" ", "")
    await page.get_by_role("textbox", name="Code").fill(code(key))
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.get_by_role("heading", name="Ten codes, each good once")).to_be_visible()


async def forget_the_proof(demo: Demo, cast: Cast, name: str) -> None:
    """Twenty minutes go by since they signed in."""
    store, now = Store(demo.database), datetime.now(UTC)
    async with house_work(store, now) as session:
        for sign_in in await session.scalars(sa.select(SignIn).where(SignIn.user_id == cast.user(name).id)):
            sign_in.proof_at = now - timedelta(minutes=20)
    await store.close()


async def discard(demo: Demo, cast: Cast, user: Newcomer) -> None:
    """Boris discards them."""
    store, now, boris = Store(demo.database), datetime.now(UTC), cast.actor("Boris")
    async with work_as(store, boris, now) as session:
        await discard_user(session, boris, await session.get_one(User, user.user_id), now)
    await store.close()
