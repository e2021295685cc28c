"""Markdown as pages show it: by markdown-it-py, without raw HTML, and links only to where links may lead."""

from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markupsafe import Markup

SCHEMES = frozenset({"http", "https", "mailto", "tel"})


def _leads_well(url: str) -> bool:
    return urlsplit(url).scheme.lower() in SCHEMES


_parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
_parser.validateLink = _leads_well  # type: ignore[method-assign]  # the library's own way to say which links are links


def rendered(text: str) -> Markup:
    """The text as HTML. Pictures stay text: a page of ours fetches nothing from elsewhere."""
    return Markup(_parser.render(text))  # noqa: S704  # written by the parser, which escapes whatever is not Markdown
