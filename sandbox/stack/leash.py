"""Runs a command that the kernel kills as soon as the process that started it is gone.

Run as a script: `leash.py <pid of the starter> <command> <arguments …>`. A script of its own, and no hook
between fork and exec, because the starter has threads, and Python is not safe to run there. The kernel
ties the promise to the *thread* that forked: the event loop that starts the stack has to live as long.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ties this process to its starter, and becomes the command."""
    starter, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:  # it died before the promise was made
        sys.exit(f"process {starter}, for which {command[0]} should run, is gone")
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is the point


if __name__ == "__main__":
    main()
