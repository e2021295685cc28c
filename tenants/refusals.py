"""The few ways this house says no. Doors turn them into problem+json or a page; nothing else is needed."""


class Refusal(Exception):
    """A rule said no. `rule` is its name, `status` the HTTP status it stands for, `sentence` plain words."""

    status = 400
    rule = "refused"

    def __init__(self, sentence: str, *, rule: str | None = None, status: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        if rule is not None:
            self.rule = rule
        if status is not None:
            self.status = status


class OutOfReach(Refusal):
    """Outside the reach, or not there at all: the two must never be told apart (404)."""

    status = 404
    rule = "reach"

    def __init__(self, sentence: str = "Nothing here that you can see.") -> None:
        super().__init__(sentence)


class NotPermitted(Refusal):
    """In reach, but this role may not do it (403)."""

    status = 403
    rule = "permission"


class Conflict(Refusal):
    """The record is not in a state that allows this (409)."""

    status = 409
    rule = "conflict"


class Gone(Refusal):
    """A link or secret that was good once and is no longer, or never was (410): which of them is not said."""

    status = 410
    rule = "spent"


class ProofNeeded(Refusal):
    """The person proved who they are too long ago for this act (403 for programs, a page for people)."""

    status = 403
    rule = "proof"


class Invalid(Refusal):
    """The input breaks a rule (422); `field` names the one to mend."""

    status = 422
    rule = "invalid"

    def __init__(self, sentence: str, *, field: str | None = None, rule: str | None = None) -> None:
        super().__init__(sentence, rule=rule)
        self.field = field


class TooMany(Refusal):
    """Throttled (429). `retry_after` is in seconds."""

    status = 429
    rule = "throttled"

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Unrecorded(Exception):
    """A change reached the database session without its entry: a fault of ours, never of the caller."""
