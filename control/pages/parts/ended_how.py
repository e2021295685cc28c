"""How a stand-in ended, in the reader's words."""

from collections.abc import Mapping
from functools import lru_cache

from control.words import words


@lru_cache
def causes(locale: str) -> Mapping[str, str]:
    """What ends an impersonation, by the cause that its row and its entry keep."""
    _ = words(locale).gettext
    return {
        "stopped": _("Stopped"),
        "expired": _("Its time was over"),
        "tab_closed": _("The tab was closed"),
        "replaced": _("Replaced by a newer one"),
        "ended_by_admin": _("Ended by an admin"),
        "ended_by_subject": _("Ended by the user themselves"),
        "signed_out": _("Signed out"),
        "signed_out_everywhere": _("Signed out everywhere"),
        "password_reset": _("A password was reset"),
        "password_changed": _("A password was changed"),
        "factor_reset": _("Second factors were reset"),
        "factor_added": _("A second factor was set up"),
        "user_discarded": _("Somebody was discarded"),
        "membership_discarded": _("A membership ended"),
        "tenant_discarded": _("The company was discarded"),
        "tenant_suspended": _("The company was suspended"),
        "tenant_moved": _("The company was moved"),
        "rights_lost": _("A role was lost"),
        "profile": _("Another profile was chosen"),
        "replay": _("Its one-time code came twice"),
        "app_discarded": _("The app was discarded"),
        "licence": _("The licence for the app was taken back"),
        "not_admin": _("No longer an admin of the app"),
        "reassigned": _("The extension was given to somebody else"),
        "extension": _("The extension was discarded"),
    }


def ended_how(cause: str | None, locale: str) -> str:
    """One cause as people read it; a rule of the guard by its name."""
    say = words(locale).gettext
    if cause is None:
        return say("Ended")
    return causes(locale).get(cause) or say("No longer allowed (%(rule)s)") % {"rule": cause}
