"""``python -m tests.chaos.checker DIR``: judges a run, says what was violated, writes DIR/verdict.json."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.checker.judging import judge
from tests.chaos.checker.verdict import Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """0: no violation; 1: at least one."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.checker", description=__doc__)
    parser.add_argument("folder", type=Path, help="the evidence of one run")
    folder: Path = parser.parse_args(arguments).folder
    verdict = judge(folder)
    (folder / "verdict.json").write_text(json.dumps(verdict.as_json(), indent=2) + "\n")
    sys.stdout.write(in_words(verdict))
    return 1 if verdict.violations else 0


def in_words(verdict: Verdict) -> str:
    """What a person reads."""
    lines = []
    for each in verdict.violations:
        lines.append(f"{each.invariant} violated: {each.what}")
        lines.append(f"    {each.where}; see {', '.join(each.evidence) or 'no line in particular'}")
    lines += [f"undecided, {times} times: {why}" for why, times in sorted(verdict.undecided.items())]
    judged = ", ".join(f"{name} {times}" for name, times in sorted(verdict.judged.items()))
    return "\n".join([*lines, f"{len(verdict.violations)} violations; judged: {judged}", ""])


if __name__ == "__main__":
    sys.exit(main())
