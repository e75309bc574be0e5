import pytest

from imagemill import settings
from imagemill.domain.errors import Misconfigured
from imagemill.inputs.reference import Rules


def test_nothing_is_allowed_that_was_not_said() -> None:
    found = settings.read(settings.InputSettings)
    assert (found.rules, found.fetch_seconds, found.most_bytes) == (Rules(), 60, 50 * 1024 * 1024)


def test_the_environment_says_what_references_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEMILL_INPUTS_BUCKETS", '["shop", "feeds/spring", "feeds/autumn"]')
    monkeypatch.setenv("IMAGEMILL_INPUTS_ALLOW_HTTP", "true")
    rules = settings.read(settings.InputSettings).rules

    assert rules == Rules(buckets=("shop", "feeds/spring", "feeds/autumn"), allow_http=True)


def test_what_is_no_list_of_buckets_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEMILL_INPUTS_BUCKETS", "s3://key:secret@shop")
    with pytest.raises(Misconfigured, match=r"IMAGEMILL_INPUTS_BUCKETS: .*list of buckets") as refused:
        settings.read(settings.InputSettings)
    assert "secret" not in str(refused.value)
