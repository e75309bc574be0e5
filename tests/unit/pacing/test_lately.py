"""What is remembered of answers depends on a minute of them, not on how many jobs there have been."""

from imagemill.pacing.lately import Lately


def test_jobs_are_forgotten_though_nothing_ever_fails() -> None:
    lately = Lately(60)

    for number in range(10_000):
        lately.note(f"job_{number}", now=float(number))

    assert len(lately) == 60


def test_a_job_that_is_answered_again_is_a_late_one() -> None:
    lately = Lately(60)
    lately.note("job_a", now=0)
    lately.note("job_b", now=30)
    lately.note("job_a", now=59)

    assert lately.others({"job_b"}, now=100)
    assert not lately.others({"job_a"}, now=100)
    assert not lately.others(set(), now=119)


def test_a_job_that_fails_does_not_speak_for_the_provider() -> None:
    lately = Lately(60)
    lately.note("job_a", now=0)

    assert not lately.others({"job_a"}, now=1)
    assert lately.others({"job_b"}, now=1)
