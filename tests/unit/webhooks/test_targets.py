import pytest

from imagemill.webhook_targets import Target, TargetRules

PRIVATE = TargetRules(allow_http=True, allow_private=True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/hook", "https://"),
        ("https://user:word@example.com/", "no user or password"),
        ("https://127.0.0.1/", "public host"),
        ("https://169.254.169.254/latest", "public host"),
        ("https://[::1]/", "public host"),
        ("https://example.com:8443/", "usual port"),
        ("ftp://example.com/", "https://"),
        ("example.com/hook", "https://"),
        ("https://example.com/a b", "white space"),
        ("https://example.com/" + "a" * 3000, "2048"),
    ],
)
async def test_what_no_event_is_sent_to_is_refused_and_never_repeated(url: str, said: str) -> None:
    problem = await TargetRules().problem("t", url)
    assert problem
    assert said in problem
    assert url not in problem


async def test_what_events_are_sent_to() -> None:
    assert await TargetRules().problem("t", "https://example.com/hook?token=x") is None


async def test_what_an_operator_allows() -> None:
    assert await PRIVATE.problem("t", "http://127.0.0.1:8080/") is None
    assert await PRIVATE.problem("t", "http://u:p@127.0.0.1:8080/") is not None


async def test_the_hosts_of_a_tenant_are_asked_for() -> None:
    async def only_mine(tenant: str, host: str) -> bool:
        return (tenant, host) == ("t", "mine.example.com")

    rules = TargetRules(may_call=only_mine)
    assert await rules.problem("t", "https://mine.example.com/") is None
    assert "yours.example.com" in (await rules.problem("t", "https://yours.example.com/") or "")
    assert await rules.problem("other", "https://mine.example.com/") is not None


def test_a_target_does_not_show_its_address() -> None:
    assert "secret" not in repr(Target(url="https://example.com/?secret", events=["job.held"]))
