"""The service's worker, with a defect, with points, or with both."""

import sys

from tests.chaos.programs import starting


def main() -> int:
    """Change the service in this process, then run its worker."""
    starting.change("worker")
    import worker  # noqa: PLC0415 - it is changed by now

    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
