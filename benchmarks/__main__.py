"""``python -m benchmarks [NAME]``: run every benchmark, or one of them."""

import asyncio
import sys

from benchmarks import api, dashboard, fairness, latency, pace, planning

BENCHMARKS = {
    "latency": latency.main,
    "pace": pace.main,
    "fairness": fairness.main,
    "planning": planning.main,
    "api": api.main,
    "dashboard": dashboard.main,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        asyncio.run(BENCHMARKS[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
