"""The ways in which a login at an app goes wrong, each with words for the person who sees it."""

ASKED_WRONGLY = "The panel says that this app asked wrongly. That is the app's fault, not yours."
PLAIN_WORDS = {
    "access_denied": "The panel did not let you in to this app.",
    "login_required": "Nobody is signed in at the panel in this browser, or your next login would open as"
    " somebody else. Log in to go on.",
    "interaction_required": "The panel has something to tell you or to ask you first. Log in to see it.",
    "account_selection_required": "The panel has to ask which extension you mean. Log in to choose.",
    "consent_required": "The panel has to ask for your consent first. Log in to see it.",
    "server_error": "The panel could not answer. Try again in a moment.",
    "temporarily_unavailable": "The panel could not answer. Try again in a moment.",
}


class LoginRefusedError(Exception):
    """The panel said no, in the words of OAuth (RFC 6749 sections 4.1.2.1 and 5.2, OIDC Core 3.1.2.6)."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.sentence = PLAIN_WORDS.get(error, ASKED_WRONGLY)
        # The description is for people, but from outside: one line of printable text, and not a long one.
        self.description = "".join(c if c.isprintable() else " " for c in description)[:300].strip()


class AnswerRejectedError(Exception):
    """What came back does not belong to what was asked, so nothing in it is believed."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class LoginEndedError(Exception):
    """The login is over at the panel: released, expired, signed out there."""


class PanelUnreachableError(Exception):
    """The panel does not answer, or with something that is no answer. Says nothing about the login."""
