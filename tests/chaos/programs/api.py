"""The service's API, with a defect, with points, or with both."""

import sys

from tests.chaos.programs import starting


def main() -> int:
    """Change the service in this process, then run its API."""
    starting.change("api")
    from api import __main__  # noqa: PLC0415 - it is changed by now

    return __main__.main()


if __name__ == "__main__":
    sys.exit(main())
