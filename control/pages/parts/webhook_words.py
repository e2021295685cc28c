"""What pages say of webhooks: which events there are, and why one did not arrive."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from bindings.webhook_deliveries import Failure
from bindings.webhooks import EVENTS
from control.pages.parts.deliveries import trouble_words
from control.pages.parts.history_words import verbs_asked
from control.words import words
from tenants.verbs import Verb

Choice = tuple[str, str, str]
"""The event, what it says, and a line below it."""


@lru_cache
def event_choices(locale: str) -> Sequence[tuple[str, str, Sequence[Choice]]]:
    """The list of events by what they are about: name, heading, choices."""
    _ = words(locale).gettext
    headings = {
        "stand_ins": _("Standing in"),
        "people": _("People"),
        "suspensions": _("Suspensions"),
        "moves": _("Moves"),
    }
    sentences = verbs_asked(locale)
    standing_in = _("%(event)s, only while standing in")
    below = {verb: standing_in % {"event": verb.value} for verb in (Verb.LOGGED_IN, Verb.LOGIN_ENDED)}
    return [
        (name, headings[name], [(verb.value, sentences[verb.value], below.get(verb, verb.value)) for verb in verbs])
        for name, verbs in EVENTS.items()
    ]


def failure_words(error: str, _: Callable[[str], str]) -> str:
    """Why one did not arrive, in a few words that stand behind others."""
    known = {
        Failure.DISABLED.value: _("the webhook was disabled"),
        Failure.CLOSED.value: _("the company is suspended or discarded"),
        Failure.MOVED.value: _("what it tells of lies elsewhere by now"),
    }
    return known.get(error) or trouble_words(error, _)
