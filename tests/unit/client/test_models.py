"""The client's models have every field of the API's answers, and ask for none that may be missing."""

import json
from typing import Any

import pytest

from docs.build import ROOT
from imagemill_client import models
from imagemill_client.models import Answer

SCHEMAS: dict[str, Any] = json.loads((ROOT / "docs/reference/openapi.json").read_text())["components"][
    "schemas"
]
KNOWN: dict[str, type[Answer]] = {
    "AttemptAnswer": models.Attempt,
    "BackfillAnswer": models.Backfill,
    "Copy": models.Copy,
    "CostAnswer": models.Cost,
    "DayAnswer": models.DaySpend,
    "DeliveryDetail": models.Delivery,
    "DeliveryPage": models.DeliveryPage,
    "Disabled": models.DisabledTarget,
    "DisabledPage": models.DisabledPage,
    "DriftAnswer": models.Drift,
    "EstimateAnswer": models.Estimate,
    "FileAnswer": models.File,
    "FilePage": models.FilePage,
    "FoundManifest": models.FoundManifest,
    "HoldAnswer": models.Hold,
    "ImageAnswer": models.Image,
    "InvalidRow": models.InvalidRow,
    "InvalidRows": models.InvalidRows,
    "AllInvalidRows": models.InvalidRows,
    "ItemAnswer": models.Item,
    "ItemCounts": models.ItemCounts,
    "ItemPage": models.ItemPage,
    "JobAnswer": models.JobStatus,
    "JobLine": models.JobLine,
    "JobList": models.JobPage,
    "JobSpendAnswer": models.JobSpend,
    "LimitsAnswer": models.ModelLimits,
    "LoggedAttempt": models.DeliveryAttempt,
    "ModelAnswer": models.Model,
    "ModelList": models.ModelList,
    "api__uploads__PartAnswer": models.UploadPart,
    "PreviewAnswer": models.Preview,
    "PricesAnswer": models.Prices,
    "Problem": models.Problem,
    "ReusedFrom": models.ReusedFrom,
    "ReportAnswer": models.Report,
    "ReportLineAnswer": models.ReportLine,
    "RunAnswer": models.Run,
    "RunPage": models.RunPage,
    "ScheduleAnswer": models.Schedule,
    "ScheduleBudgetAnswer": models.ScheduleBudget,
    "SchedulePage": models.SchedulePage,
    "SecretAnswer": models.WebhookSecret,
    "SellerAnswer": models.Seller,
    "ShareAnswer": models.Share,
    "SpendAnswer": models.Spend,
    "TimeAnswer": models.Time,
    "TriggerAnswer": models.Trigger,
    "UploadAnswer": models.Upload,
    "UsageAnswer": models.Usage,
    "ValidationAnswer": models.Validation,
    "WindowAnswer": models.Window,
}
THERE = sorted(KNOWN.keys() & SCHEMAS.keys())


@pytest.mark.parametrize("name", THERE)
def test_every_field_is_known(name: str) -> None:
    missing = SCHEMAS[name]["properties"].keys() - KNOWN[name].model_fields.keys()

    assert not missing, f"add {sorted(missing)} to {KNOWN[name].__name__}, with a default"


@pytest.mark.parametrize("name", THERE)
def test_what_is_needed_always_comes(name: str) -> None:
    needed = {field for field, told in KNOWN[name].model_fields.items() if told.is_required()}

    assert needed <= SCHEMAS[name]["properties"].keys()


def test_nearly_all_answers_are_compared() -> None:
    assert len(THERE) >= 45
    assert all(
        issubclass(getattr(models, name), Answer) for name in models.__all__ if name[1:] != name[1:].upper()
    )
