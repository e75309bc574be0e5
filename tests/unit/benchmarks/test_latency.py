"""What is said of rounds of single images."""

from benchmarks.latency import Case, Round, judge

ROUNDS = [
    Round(accepted=20, stored=5100, provider=5000),
    Round(accepted=30, stored=6600, provider=6000),
    Round(accepted=25, stored=5300, provider=5000),
]


def test_overhead_is_what_the_provider_did_not_take_and_the_ratio_is_formed_within_a_round() -> None:
    rows = {row.figure: row for row in judge(Case("slow", 5.0, 3, 0.02, ratio_target="≤ 1.15"), ROUNDS)}

    overhead, ratio = rows["overhead"], rows["over the provider's own"]
    assert (overhead.median, overhead.least, overhead.most) == (300, 100, 600)
    assert (ratio.median, ratio.least, ratio.most) == (1.06, 1.02, 1.1)
    assert ratio.target == "≤ 1.15"


def test_there_is_no_ratio_to_a_provider_that_takes_no_time() -> None:
    rows = judge(Case("at once", 0.0, 3, 0.005, overhead_target="≤ 150"), ROUNDS)

    assert [row.figure for row in rows if row.target] == ["overhead"]
    assert "over the provider's own" not in {row.figure for row in rows}
