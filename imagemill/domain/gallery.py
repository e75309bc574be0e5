"""What a finished job's gallery and contact sheet show."""

from pydantic import BaseModel, Field

MOST_PICTURES = 400
"""Of a larger job the first ones are shown, and it is said how many there are."""


class SheetOrder(BaseModel):
    """What is written on a contact sheet: a caption for each picture, in order."""

    heading: str
    note: str = ""
    captions: list[str] = Field(default_factory=list)
