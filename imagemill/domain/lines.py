"""Files of records, a line of JSON each: the plans and the results of chunks."""

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel

Record = TypeVar("Record", bound=BaseModel)


def to_lines(records: Iterable[BaseModel]) -> bytes:
    """The file of these records; what is None is left out."""
    return "".join(record.model_dump_json(exclude_none=True) + "\n" for record in records).encode()


def from_lines(kind: type[Record], lines: Iterable[bytes]) -> list[Record]:
    """The records of a file, or of some of its lines."""
    return [kind.model_validate_json(line) for line in lines]
