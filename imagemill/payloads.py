"""How messages are written into histories: as JSON that a person can read, without what need not be said.

An item of a job costs two messages, and the engine keeps both for weeks. What `Message` marks is written
without the fields that have their default value, and read as if they were there.
"""

from typing import Any

from pydantic_core import SchemaSerializer
from pydantic_core.core_schema import any_schema
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)

from imagemill.domain.messages import Message


class _Json(PydanticJSONPlainPayloadConverter):
    def __init__(self) -> None:
        super().__init__()
        self._serializer = SchemaSerializer(any_schema())

    def to_payload(self, value: Any) -> Payload | None:
        if not isinstance(value, Message):
            return super().to_payload(value)
        data = self._serializer.to_json(value, exclude_defaults=True)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)


class Payloads(CompositePayloadConverter):
    """The SDK's own converter, with this one in the place of the one for JSON."""

    def __init__(self) -> None:
        kinds = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(
            *(_Json() if isinstance(kind, JSONPlainPayloadConverter) else kind for kind in kinds)
        )


PAYLOADS = DataConverter(payload_converter_class=Payloads)
"""What every client of the engine is connected with."""
