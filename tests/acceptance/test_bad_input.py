"""Bad input costs nothing, is told whole, and stops nothing else."""

import pytest

from tests.acceptance.service import Service, nano

CSV = 'sku,title\na-1,Oak table\na-2\na-3,"Two\nlines"\na-1,Oak table again\n,No id\na-6,\na-7,Ash chair\n'
BAD_LINES = {3: "cells", 6: "used before, on line 2", 7: "id is empty", 8: "prompt is empty"}


async def test_bad_rows_are_listed_with_their_lines_and_the_rest_is_bought(service: Service) -> None:
    file_id = await service.upload("rows.csv", CSV.encode())
    job = await service.submit(
        manifest={"file_id": file_id, "format": "csv", "id": "{{ row.sku }}", "prompt": "{{ row.title }}"}
    )

    status = await service.finished(job)
    results = await service.results(job)

    assert status["state"] == "completed_with_errors"
    assert status["items"]["succeeded"] == 3
    assert status["items"]["failed"] == len(BAD_LINES)
    told = {row["line"]: row["detail"] for row in status["invalid_rows"]["first"]}
    assert told.keys() == BAD_LINES.keys()
    for line, words in BAD_LINES.items():
        assert words in told[line]
    failed = [result for result in results if result["state"] == "failed"]
    assert {result["line"] for result in failed} == set(BAD_LINES)
    assert all(result["cost_usd"] == "0.00" for result in failed)


async def test_a_manifest_without_a_good_row_fails_and_buys_nothing(service: Service) -> None:
    file_id = await service.upload("rows.csv", b"sku,title\nb-1,\nb-2,\n")
    job = await service.submit(
        manifest={"file_id": file_id, "format": "csv", "id": "{{ row.sku }}", "prompt": "{{ row.title }}"}
    )

    status = await service.finished(job)

    assert status["state"] == "failed"
    assert status["failure"]["code"] == "no_valid_items"
    assert status["items"]["failed"] == status["items"]["total"] == 2
    assert nano(status["cost"]["settled_usd"]) == 0


async def test_a_blocked_item_and_a_refused_one_cost_only_what_may_have_been_billed(service: Service) -> None:
    job = await service.submit(
        items=[
            {"custom_id": "in", "prompt": "forbidden-input"},
            {"custom_id": "out", "prompt": "forbidden-output"},
            {"custom_id": "fine", "prompt": "A plain bowl"},
        ]
    )

    status = await service.finished(job)
    results = {result["custom_id"]: result for result in await service.results(job)}
    ledger = await service.ledger("forbidden-input", "forbidden-output", "A plain bowl")

    assert [results[name]["state"] for name in ("in", "out", "fine")] == ["blocked", "blocked", "succeeded"]
    assert results["in"]["cost_usd"] == "0.00"
    settled, written_off = nano(status["cost"]["settled_usd"]), nano(status["cost"]["written_off_usd"])
    assert settled <= ledger["nano"] <= settled + written_off


async def test_a_cap_that_bites_skips_what_it_leaves_no_money_for(service: Service) -> None:
    prompts = [f"A capped cup {number}" for number in range(30)]
    items = [{"custom_id": f"c-{number}", "prompt": prompt} for number, prompt in enumerate(prompts)]
    job = await service.submit(items=items, budget={"limit_usd": "0.05", "on_exhausted": "skip"})

    status = await service.finished(job)
    ledger = await service.ledger(*prompts)

    assert status["state"] == "completed_with_errors"
    assert status["items"]["succeeded"] > 0
    assert status["items"]["skipped"] == 30 - status["items"]["succeeded"]
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"] <= nano("0.05")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"items": []}, "/"),
        (
            {"items": [{"custom_id": "x", "prompt": "p"}, {"custom_id": "x", "prompt": "q"}]},
            "/items/1/custom_id",
        ),
        ({"items": [{"custom_id": "x", "prompt": ""}]}, "/items/0/prompt"),
        ({"items": [{"custom_id": "x", "prompt": "p" * 32_001}]}, "/items/0/prompt"),
        ({"items": [{"custom_id": "x", "prompt": "p", "model": "dall-e-9"}]}, "/items/0/model"),
        ({"items": [{"custom_id": "x", "prompt": "p", "size": "100x100"}]}, "/items/0/size"),
    ],
)
async def test_a_submission_that_cannot_run_is_refused_with_the_place(
    service: Service, body: dict[str, object], pointer: str
) -> None:
    submission = {"defaults": {"model": "gpt-image-2"}, "budget": {"limit_usd": "1.00"}} | body

    answer = await service.ask("POST", "/v1/jobs", json=submission)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("data", "template", "words"),
    [
        (b"sku,title\n1,x\n", "{{ row.titel }}", "did you mean 'title'"),
        (b"sku,title\n1,x\n", "{{ row.title | strip_htm }}", "unknown filter"),
        (b"sku,title\n1,x\n", "{{ row.title ", "not a Liquid template"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "{{ row.title }}", "a PNG image"),
    ],
)
async def test_a_template_or_file_that_cannot_work_is_refused_before_the_first_row(
    service: Service, data: bytes, template: str, words: str
) -> None:
    file_id = await service.upload("rows.csv", data)
    manifest = {"file_id": file_id, "format": "csv", "id": "{{ row.sku }}", "prompt": template}
    body = {"defaults": {"model": "gpt-image-2"}, "budget": {"limit_usd": "1.00"}, "manifest": manifest}

    answer = await service.ask("POST", "/v1/jobs", json=body)

    assert answer.status_code == 422
    assert words in str(answer.json()["errors"])
