"""Runs a command and prints the seconds it took, by the clock and of processor time, and its peak memory in MB.

A program of its own, run as `python -I -S launch.py STDIN COMMAND...`: a process is
charged for the memory of the one that it was started from, hence that has to be small.
"""

import os
import sys
import time

if __name__ == "__main__":
    stdin, *command = sys.argv[1:]
    files = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=files)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    # getrusage(2): kilobytes on Linux, bytes on macOS.
    peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(seconds, usage.ru_utime + usage.ru_stime, peak)
    sys.exit(os.waitstatus_to_exitcode(status))
