"""A letter as it goes out: subject, plain text and HTML, from one template per kind, in the addressee's language.

Each kind is one file, drawn twice: in a frame of plain text and in one of HTML, so that the two cannot disagree. It
loads nothing from anywhere but the brand's logo, whose address is the same for everybody.
"""

import json
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

from control.clock_words import moment_words, place
from control.house import House
from control.looks import dress
from control.mail.colours import brand_colour
from control.mail.headers import LONGEST_SUBJECT, POLICY, mailbox, one_line, put_headers, subject
from tenants.brands import Brand, brand_of
from tenants.letters import LISTS, Letter, WrongWords
from tenants.people import User
from tenants.refusals import Invalid
from tenants.text import email_address
from tenants.tree import Tenant

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
STYLE = TEMPLATES / "letters" / "letter.css"
LINKS = frozenset({"link", "cancel_link"})
WIDTH = 72
"""Characters of a line of plain text."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the letter, as the panel's words and times need them."""

    locale: str
    zone: str


@dataclass(frozen=True, slots=True)
class Paper:
    """What a letter is written on: whose it is, where the panel is, and where the reader's clock stands."""

    brand: Brand
    public_url: str
    host: str
    sender: str
    zone: str = "Etc/UTC"


async def paper_for(session: AsyncSession, house: House, letter: Letter) -> Paper:
    """The paper of a letter's tenant; times are said in the reader's zone, or in the tenant's for who has none yet."""
    tenant = await session.get_one(Tenant, letter.tenant_id)
    reader = await session.get(User, letter.user_id) if letter.user_id else None
    settings = house.settings
    brand = await brand_of(session, tenant.path)
    zone = reader.zone if reader else tenant.zone
    return Paper(brand, settings.public_url, settings.host, settings.sender_address, zone)


def write(letter: Letter, words: Mapping[str, str], paper: Paper, now: datetime) -> EmailMessage:
    """The whole message. Raises WrongWords for a link that does not lead to this panel."""
    context = _context(letter, words, paper)
    drawn = [_draw(environment, letter.kind, context) for environment in (_plain(), _html())]
    message = EmailMessage(policy=POLICY.clone(utf8=not letter.address.isascii()))
    headers = {
        "From": mailbox(paper.brand.name, paper.sender),
        "To": mailbox(letter.name, letter.address),
        "Subject": subject(context["subject"]),
        "Date": format_datetime(now),
        # The same at every try, so that one which arrives twice can be known for it.
        "Message-ID": f"<letter-{letter.id}-{int(letter.created_at.timestamp())}@{paper.host}>",
        "Auto-Submitted": "auto-generated",
    }
    reply_to = _as_address(paper.brand.support)
    if reply_to:
        headers["Reply-To"] = mailbox(paper.brand.name, reply_to)
    put_headers(message, headers)
    message.set_content(drawn[0], cte="quoted-printable")
    message.add_alternative(drawn[1], subtype="html", cte="quoted-printable")
    return message


def _context(letter: Letter, words: Mapping[str, str], paper: Paper) -> dict[str, Any]:
    stray = [name for name in LINKS & words.keys() if not words[name].startswith(f"{paper.public_url}/")]
    if stray:
        raise WrongWords(f"{letter.kind}: {stray} leads elsewhere")
    reader = Reader(letter.locale, paper.zone)
    said: dict[str, Any] = {
        name: _listed(value, reader) if name in LISTS else value if name in LINKS else one_line(value)
        for name, value in words.items()
    }
    if said.get("until"):
        said["until"] = _moment(said["until"], reader)
    https = paper.public_url.startswith("https://")
    logo = f"{paper.public_url}/brand/logo/{paper.brand.logo}.png" if https and paper.brand.logo else None
    support = one_line(paper.brand.support) if paper.brand.support else None
    context: dict[str, Any] = {
        **said,
        "name": one_line(letter.name),
        "me": reader,
        "sender": one_line(paper.brand.name),
        "colour": brand_colour(paper.brand.hue),
        "support": support,
        "logo": logo,
        "panel": paper.public_url,
    }
    template = _template(_plain(), letter.kind)
    drawn = "".join(template.blocks["subject"](template.new_context(context)))
    return context | {"subject": one_line(drawn, LONGEST_SUBJECT)}


def _listed(value: str, reader: Reader) -> list[dict[str, Any]]:
    """The things of a list, each text on one line, each moment on the reader's clock."""
    listed: list[dict[str, Any]] = json.loads(value)
    for each in listed:
        each |= {name: one_line(text) for name, text in each.items() if isinstance(text, str)}
        if "at" in each:
            each["at"] = _moment(each["at"], reader)
    return listed


def _moment(iso: str, reader: Reader) -> str:
    """A moment with its day and its city, for a letter is read whenever."""
    spoken = moment_words(datetime.fromisoformat(iso), reader.zone, None, reader.locale)
    return f"{spoken} {place(reader.zone, reader.locale)}"


def _draw(environment: Environment, kind: str, context: dict[str, Any]) -> str:
    drawn = _template(environment, kind).render(context).strip()
    return re.sub(r"\n{3,}", "\n\n", drawn) + "\n"


def _template(environment: Environment, kind: str) -> Template:
    return environment.get_template(f"letters/{kind}.html")


@lru_cache(maxsize=1)
def _plain() -> Environment:
    return _environment(html=False, frame="letters/frame.txt", p=_paragraph, action=_address, style="")


@lru_cache(maxsize=1)
def _html() -> Environment:
    style = f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>"
    return _environment(html=True, frame="letters/frame.html", p=_html_paragraph, action=_button, style=style)


def _environment(*, html: bool, **names: str | Callable[..., str]) -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=html)  # noqa: S701 (plain text has no markup)
    dress(environment)
    environment.globals.update(names)
    return environment


def _paragraph(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n\n"


def _address(label: str, link: str) -> str:
    return f"{label}:\n{link}\n\n"


def _html_paragraph(text: str) -> Markup:
    return Markup("<p>{}</p>\n").format(text)


def _button(label: str, link: str) -> Markup:
    """A button, and the address itself for who would rather see where it leads."""
    button = Markup('<p><a class="button" href="{}">{}</a></p>\n').format(link, label)
    return button + Markup('<p class="quiet"><a href="{0}">{0}</a></p>\n').format(link)


def _as_address(support: str | None) -> str | None:
    try:
        address = email_address(support or "")
    except Invalid:
        return None
    return address if address.isascii() else None
