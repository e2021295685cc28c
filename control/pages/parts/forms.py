"""Forms that come back: shown again with what was typed and what is wrong with it."""

from control.pages.parts.fields import Fields
from tenants.refusals import Refusal

UNTOUCHED = Fields({})
"""A form that nobody has filled in yet."""


def errors_of(refusal: Refusal | None) -> dict[str, str]:
    """Field name -> what is wrong with it, as macros/forms.html takes it; "" stands for the form itself."""
    return {} if refusal is None else {getattr(refusal, "field", None) or "": refusal.sentence}
