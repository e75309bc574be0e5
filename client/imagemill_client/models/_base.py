"""What all answers have in common."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Something that the service said.

    Answers only ever gain fields: those that this version does not know are kept in ``model_extra``.
    States, outcomes and codes are plain strings for the same reason. Sums are ``Decimal``, US dollars.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    object: str | None = None
    """Which kind of thing it is: ``job``, ``list`` and so on, where the service says it."""

    @property
    def unknown(self) -> Mapping[str, Any]:
        """Fields that a newer service sends and this version of the client does not know."""
        return self.model_extra or {}


class Page(Answer):
    """A page of a list; ``after`` of the next one is this one's ``last``."""

    has_more: bool = False
    last: str | None = None
    last_id: str | None = None

    @property
    def goes_on_after(self) -> str | None:
        """What the next page is asked for with; None: there is none."""
        return (self.last or self.last_id) if self.has_more else None


class Problem(Answer):
    """Why something failed: a stable code, and a sentence."""

    code: str
    detail: str
