"""The service's worker, with a defect, with points, or with both."""

import sys

from tests.chaos.programs import starting


def main() -> int:
    """Change the service in this process, then run its worker."""
    arguments = starting.told()
    starting.set_chunk_items(arguments.chunk_items)
    # The service is imported only now: its modules take names from each other.
    from tests.chaos.programs import defects, marks  # noqa: PLC0415

    if arguments.defect:
        defects.plant(arguments.defect, "worker")
    marks.mark_worker(starting.points_of(arguments))
    import worker  # noqa: PLC0415

    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
