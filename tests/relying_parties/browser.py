"""The part of a login that a person with a browser has: pages, forms and cookies, without any script."""

from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from control.cast import PASSWORD

MANY = 10
"""More redirects than any login needs."""


class Form(HTMLParser):
    """The first form of a page that has a field `email`: where it posts to, and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form" and said.get("method", "get").lower() == "post":
            self._inside, self.fields = said.get("action", ""), {}
        elif tag == "input" and said.get("name"):
            self.fields[said["name"]] = said.get("value", "")
            if said["name"] == "email":
                self.action = self._inside or "."


class Browser:
    """A browser with one person before it, who signs in where they are asked to."""

    def __init__(self, email: str) -> None:
        self.email = email
        self.http = httpx.Client(trust_env=False, timeout=30)

    def close(self) -> None:
        self.http.close()

    def go(self, url: str, back_to: str) -> str:
        """Open `url` and do what its pages ask, until the panel leads on to `back_to`; returns that address."""
        answer = self.http.get(url)
        for _ in range(MANY):
            if answer.is_redirect:
                onward = urljoin(str(answer.url), answer.headers["location"])
                if onward.startswith(back_to):
                    return onward
                answer = self.http.get(onward)
            else:
                answer = self.sign_in(answer)
        raise AssertionError(f"the login leads nowhere: {answer.status_code} {answer.url}")

    def sign_in(self, page: httpx.Response) -> httpx.Response:
        """Fill in the sign-in form; fails on any other page, with its text."""
        form = Form(page.text)
        assert form.action, f"no sign-in page but {page.status_code} {page.url}: {page.text}"
        filled = form.fields | {"email": self.email, "password": PASSWORD}
        return self.http.post(urljoin(str(page.url), form.action), data=filled)


def answer_in(url: str) -> dict[str, str]:
    """The parameters that the panel's answer carries."""
    return dict(parse_qsl(urlsplit(url).query))
