"""/v1/validations: the bad rows of a submission that was only asked about, all of them."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.context import Context, context, tenant
from api.models import EstimateAnswer, InvalidRow
from api.problems import NOT_FOUND, Problem
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.item import Problem as ItemProblem
from imagemill.domain.manifests import FoundManifest
from imagemill.domain.places import bad_rows_key

SHOWN_ROWS = 1000
_HEAD_BYTES = 4 * 1024 * 1024
"""More than so many rows take, unless their ids and problems are as long as they can be."""

VALIDATION_ID = re.compile(r"validation_[0-9A-Za-z]{1,60}")
router = APIRouter(prefix="/v1/validations", tags=["jobs"])


class AllInvalidRows(BaseModel):
    """The bad rows of a manifest: how many, the first of them, and where all of them are."""

    count: int
    first: list[InvalidRow] = Field(description="Up to a thousand.")
    errors_url: str = Field(description="All of them as JSONL; with the same API key.")


class ValidationAnswer(BaseModel):
    """What a submission would cost, and what is wrong with its rows. Nothing was started."""

    id: str
    object: Literal["validation"] = "validation"
    items: int
    reused: int = Field(description="Of these, the ones that cost nothing, since they were answered before.")
    invalid_rows: AllInvalidRows | None
    estimate: EstimateAnswer
    limit_usd: str
    enough: Literal["surely", "likely", "not_for_all", "not_for_any"] = Field(
        description="Is the cap enough for all items: even at their most, at what is expected, or not?"
    )
    failure: ItemProblem | None = Field(description="Why the job would fail before it buys anything.")
    warnings: list[str]
    manifest: FoundManifest | None = Field(description="What the manifest's source leads to now.")


async def all_invalid_rows(parts: Context, owner: str, validation: str, count: int) -> AllInvalidRows:
    """The bad rows, the first of them in words."""
    head = await parts.control.start_of(bad_rows_key(owner, validation), _HEAD_BYTES)
    lines = head.splitlines(keepends=True)[:SHOWN_ROWS]
    return AllInvalidRows(
        count=count,
        first=[InvalidRow.model_validate_json(line) for line in lines if line.endswith(b"\n")],
        errors_url=f"/v1/validations/{validation}/errors",
    )


@router.get(
    "/{validation}/errors",
    summary="The bad rows of a validation",
    response_class=Response,
    responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}},
)
async def get_errors(
    validation: str,
    parts: Annotated[Context, Depends(context)],
    owner: Annotated[str, Depends(tenant)],
) -> Response:
    """Every bad row, a line each: ``line``, ``custom_id``, ``detail``."""
    key = bad_rows_key(owner, validation)
    try:
        if not VALIDATION_ID.fullmatch(validation):
            raise ObjectMissing
        await parts.control.head(key)
    except ObjectMissing:
        raise Problem(NOT_FOUND, f"there are no bad rows of a validation {validation}") from None
    return StreamingResponse(parts.control.pieces(key), media_type="application/jsonl")
