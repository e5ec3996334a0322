"""`python -m playground.leash PARENT COMMAND ...`: becomes COMMAND, which ends when its parent does.

At once, as a machine dies: the next start must not meet a bot that is still saying goodbye. Linux alone knows
such a leash; elsewhere a bot outlives a playground that was killed.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)  # it died before the leash was on
    try:
        os.execvp(command[0], command)  # noqa: S606 -- the very command the person typed, without a shell
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 -- a command line prints
        sys.exit(78)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
