"""No way out: a process that evaluates what strangers send can open no socket, whatever it was talked into.

The guard refuses SERVICE and LOAD by the text; this is the wall behind it, in the kernel (seccomp). It stands on Linux
on x86-64 and ARM64; elsewhere there is only the guard.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl(2)
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of the kernel's packet filter
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EACCES
_X32 = 0x40000000  # system calls of the x32 interface have this bit, and the same architecture

#: By machine: the kernel's name of its architecture, and the numbers of socket, connect, bind, listen, accept, accept4
#: and io_uring_setup (a ring opens sockets too).
_MACHINES = {
    "x86_64": (0xC000003E, (41, 42, 49, 50, 43, 288, 425)),
    "aarch64": (0xC00000B7, (198, 203, 200, 201, 202, 242, 425)),
}


def forbid_sockets() -> bool:
    """From now on this process, its threads and its children get EACCES for a new socket or connection.

    Sockets that are open already go on. To be called before other threads start. False where there is no such wall:
    not Linux, another machine, or a kernel that does not let us.
    """
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    program = _program(*_MACHINES[platform.machine()])
    held = ctypes.create_string_buffer(program)  # alive until prctl has copied it
    count_and_address = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    pointer = ctypes.create_string_buffer(count_and_address)
    return not prctl(_SECCOMP, _FILTER, ctypes.addressof(pointer), 0, 0)


def _program(architecture: int, forbidden: tuple[int, ...]) -> bytes:
    """The filter: calls of another architecture (32-bit, x32) fail as the forbidden ones do, all others pass."""
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _FAIL)]
    steps += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, len(forbidden) + 1, 0, _X32)]
    steps += [(_EQUAL, len(forbidden) - here, 0, number) for here, number in enumerate(forbidden)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _FAIL)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
