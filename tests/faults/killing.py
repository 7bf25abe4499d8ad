"""Kill a process at a system call of one's choosing, as a power cut would, without a debugger.

The child is traced by ptrace: it stops on the way into each system call and on the way out,
and is killed at the stop asked for. What it wrote to its pipe before that is what it had
acknowledged.
"""

import ctypes
import os
import signal
from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_LIBC.ptrace.restype = ctypes.c_long
TRACEME, NEXT_CALL, SET_OPTIONS, KILL_WITH_PARENT = 0, 24, 0x4200, 0x100000


def killed_at(stop: int, work: Callable[[], None]) -> tuple[bool, bool, int]:
    """Run ``work`` in a child and kill it at a stop; 0 lets it run to its end.

    Returns
    -------
    whether it came to its end, whether it acknowledged, and how many stops it passed
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            _LIBC.ptrace(TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
            os.write(writing, b"done")
            os._exit(0)
        except BaseException:
            os._exit(7)
    os.close(writing)
    os.waitpid(child, 0)
    _LIBC.ptrace(SET_OPTIONS, child, None, KILL_WITH_PARENT)
    passed = 0
    while True:
        if stop and passed == stop:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            ended = False
            break
        _LIBC.ptrace(NEXT_CALL, child, None, None)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            ended = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
            break
        passed += 1
    acknowledged = os.read(reading, 4) == b"done"
    os.close(reading)
    return ended, acknowledged, passed
