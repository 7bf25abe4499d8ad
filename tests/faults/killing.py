"""Kill a process at a system call of one's choosing, or let that call fail, without a debugger.

The child is traced by ptrace: it stops on the way into each system call and on the way out. It
is killed at the stop asked for, as a power cut would; or a call that would touch files or the
disk is not carried out and gives an error instead, as a disk that is full or broken would.
What the child wrote to its pipe before is what it had acknowledged.
"""

import ctypes
import gc
import os
import platform
import select
import signal
from collections.abc import Callable
from typing import NamedTuple

from diamond_pricing.errors import DiamondPricingError

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_LIBC.ptrace.restype = ctypes.c_long
TRACEME, GET_REGISTERS, SET_REGISTERS, NEXT_CALL = 0, 12, 13, 24
SET_OPTIONS, KILL_WITH_PARENT = 0x4200, 0x100000
CAN_FAIL_CALLS = platform.machine() == "x86_64"  # whose registers are known below
RETURNED, CALLED = 10, 15  # rax and orig_rax among the registers
# Calls of x86-64 that open, write, flush, link, rename or remove.
CALLS = {
    1: "write",
    2: "open",
    18: "pwrite64",
    20: "writev",
    40: "sendfile",
    74: "fsync",
    75: "fdatasync",
    76: "truncate",
    77: "ftruncate",
    82: "rename",
    83: "mkdir",
    86: "link",
    87: "unlink",
    257: "openat",
    258: "mkdirat",
    263: "unlinkat",
    264: "renameat",
    265: "linkat",
    285: "fallocate",
    316: "renameat2",
    326: "copy_file_range",
}

Tell = Callable[[str], None]


class Ended(NamedTuple):
    """What became of a child.

    ``code`` is its exit code, None when it was killed; ``told`` what it acknowledged;
    ``passed`` how many stops, or calls that could fail, it passed.
    """

    code: int | None
    told: list[str]
    passed: int


def killed_at(stop: int, work: Callable[[Tell], None], *, told: bool = False) -> Ended:
    """Run ``work`` in a child and kill it at a stop; 0 lets it run to its end.

    With ``told`` the stops are counted from the first acknowledgement on: two runs of the same
    work differ by a few calls, as for memory, so that its number is not known beforehand.
    """
    child, pipe = _traced(work)
    passed, counting = 0, not told
    while True:
        if stop and passed == stop:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Ended(None, _said(pipe), passed)
        if (code := _onward(child)) is not None:
            return Ended(code, _said(pipe), passed)
        counting = counting or bool(select.select([pipe], [], [], 0)[0])
        passed += counting


def failing_at(call: int, error: int, work: Callable[[Tell], None]) -> Ended:
    """Run ``work`` in a child whose so-manieth call of `CALLS` fails with ``error``.

    0 lets none fail. The calls by which the child acknowledges are not counted.
    """
    child, pipe = _traced(work)
    registers = (ctypes.c_ulonglong * 27)()
    passed, entering = 0, False
    while True:
        if (code := _onward(child)) is not None:
            return Ended(code, _said(pipe), passed)
        entering = not entering
        if not entering:
            continue
        _LIBC.ptrace(GET_REGISTERS, child, None, ctypes.byref(registers))
        if registers[CALLED] not in CALLS or registers[14] == ACKNOWLEDGING:
            continue
        passed += 1
        if passed == call:
            registers[CALLED] = (1 << 64) - 1  # no such call: the kernel does nothing
            _LIBC.ptrace(SET_REGISTERS, child, None, ctypes.byref(registers))
            if (code := _onward(child)) is not None:
                return Ended(code, _said(pipe), passed)
            entering = False
            _LIBC.ptrace(GET_REGISTERS, child, None, ctypes.byref(registers))
            registers[RETURNED] = (1 << 64) - error
            _LIBC.ptrace(SET_REGISTERS, child, None, ctypes.byref(registers))


ACKNOWLEDGING = 997  # the descriptor that a child acknowledges by; rdi, at 14 of the registers


def forked() -> int:
    """Fork as `os.fork`, so that the child collects no garbage of the parent.

    What earlier tests left behind may want to end threads, which only the parent has.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        child = os.fork()
        if child == 0:
            gc.freeze()
    finally:
        if collecting:
            gc.enable()
    return child


def _traced(work: Callable[[Tell], None]) -> tuple[int, int]:
    """Begin a child that waits to be let on; give it and the pipe it acknowledges by."""
    reading, writing = os.pipe()
    child = forked()
    if child == 0:
        try:
            os.close(reading)
            os.dup2(writing, ACKNOWLEDGING)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            _LIBC.ptrace(TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(_worked(work))
        except BaseException:
            os._exit(UNFORESEEN)
    os.close(writing)
    os.waitpid(child, 0)
    _LIBC.ptrace(SET_OPTIONS, child, None, KILL_WITH_PARENT)
    return child, reading


FORESEEN, UNFORESEEN = 3, 7  # exit codes of a child


def _worked(work: Callable[[Tell], None]) -> int:
    """Do the work; say whether an error that came of it is one that we mean to raise."""
    try:
        work(tell_by)
    except (DiamondPricingError, OSError):
        return FORESEEN
    return 0


def tell_by(text: str) -> None:
    """Acknowledge something, in a child."""
    os.write(ACKNOWLEDGING, f"{text}\n".encode())


def _onward(child: int) -> int | None:
    """Let the child go to its next stop; give its exit code when it ended instead."""
    passed_on = 0
    while True:
        _LIBC.ptrace(NEXT_CALL, child, None, passed_on)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        if os.WIFSIGNALED(status):
            return -os.WTERMSIG(status)
        if os.WSTOPSIG(status) == signal.SIGTRAP:
            return None
        # Kept from it, one that tells of a fault would come again and again, for ever.
        passed_on = os.WSTOPSIG(status)


def _said(pipe: int) -> list[str]:
    with os.fdopen(pipe, "rb") as reading:
        return reading.read().decode().splitlines()
