import pytest
from temporalio.exceptions import ApplicationError

from activities.sealed import seal
from imagemill.domain.errors import NotBilled, NotSent, OutcomeUnknown, StoreUnavailable

SECRET = "a very private prompt"


def caught(error: Exception) -> Exception:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as inner:
            raise error from inner
    except Exception as outer:  # noqa: BLE001
        return outer


def words(error: ApplicationError) -> str:
    return f"{error} {error.message} {error.details} {error.type}"


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("error", [ValueError(SECRET), RuntimeError(SECRET), OSError(SECRET)])
def test_no_word_of_an_exception_survives(error: Exception, paid: bool) -> None:
    sealed = seal(caught(error), paid=paid)

    assert SECRET not in words(sealed)
    assert sealed.__cause__ is None
    assert sealed.__context__ is None
    assert sealed.details[1].startswith("test_sealed.py:")
    assert type(error).__name__ in words(sealed)


@pytest.mark.parametrize(
    "error", [ValueError("x"), StoreUnavailable(), OutcomeUnknown("deadline_passed", "req_1")]
)
def test_of_a_paid_call_nothing_else_is_tried_again(error: Exception) -> None:
    sealed = seal(error, paid=True)

    assert (sealed.type, sealed.non_retryable) == ("OutcomeUnknown", True)


@pytest.mark.parametrize("error", [NotSent("too_old"), NotBilled("rate_limited", "req_1")])
def test_what_was_not_bought_is_tried_again(error: NotSent | NotBilled) -> None:
    sealed = seal(error, paid=True)

    assert (sealed.type, sealed.non_retryable) == (type(error).__name__, False)
    assert list(sealed.details) == [error.code, error.request_id]
    assert sealed.next_retry_delay is None


@pytest.mark.parametrize(("told", "waits"), [(0.1, 1), (12.5, 12.5)])
def test_the_providers_wait_is_kept_but_never_under_a_second(told: float, waits: float) -> None:
    sealed = seal(NotBilled("rate_limited", None, told), paid=True)

    assert sealed.next_retry_delay
    assert sealed.next_retry_delay.total_seconds() == waits


def test_other_steps_are_tried_again() -> None:
    assert not seal(ValueError("x"), paid=False).non_retryable
