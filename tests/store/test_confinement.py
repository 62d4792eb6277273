from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, errno, os, socket, threading
ours, theirs = socket.socketpair()
from kg_service.store.confinement import forbid_sockets
assert forbid_sockets()

def refused(call):
    try:
        call()
    except PermissionError:
        return True
    return False

attempts = [
    lambda: socket.socket(),
    lambda: socket.socket(socket.AF_UNIX),
    lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: ours.connect("/tmp/nowhere"),
]
found = [refused(each) for each in attempts]
thread = threading.Thread(target=lambda: found.append(refused(socket.socket)))
thread.start()
thread.join()
libc = ctypes.CDLL(None, use_errno=True)
found.append(libc.syscall(425, 1, 0) == -1 and ctypes.get_errno() == errno.EACCES)  # io_uring_setup
if os.uname().machine == "x86_64":
    found.append(libc.syscall(0x40000000 | 41, 2, 1, 0) == -1 and ctypes.get_errno() == errno.EACCES)  # x32
if os.fork() == 0:
    os._exit(0 if refused(socket.socket) else 1)
found.append(os.wait()[1] == 0)
ours.send(b"x")
print(all(found), theirs.recv(1))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="the wall is Linux's"
)
def test_a_confined_process_opens_no_socket_and_keeps_those_it_has() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == "True b'x'\n", done.stderr
