"""How long a start takes and how much memory the service needs at rest; the README's figures.

    python benchmarks/start.py [runs]

Measured from the start of the process until /health/ready answers 200, on a fresh store (loading and validating
data/) and on a store that is already loaded. Memory is the proportional set size of the service and its readers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

KG = Path(__file__).resolve().parent.parent / "kg"


def start(store: Path) -> tuple[float, float]:
    """Seconds until ready, and mebibytes once ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.perf_counter()
    environment = os.environ | {"KG_STORE": str(store)}
    service = subprocess.Popen(
        [sys.executable, str(KG), "serve", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                    break
            if service.poll() is not None:
                raise SystemExit("the service ended while starting")
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        time.sleep(1)
        main = psutil.Process(service.pid)
        memory = sum(process.memory_full_info().pss for process in [main, *main.children(recursive=True)])
        return seconds, memory / 2**20
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(timeout=30)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    cold, warm, memory = [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            seconds, _ = start(Path(folder) / "store")
            cold.append(seconds)
            seconds, mebibytes = start(Path(folder) / "store")
            warm.append(seconds)
            memory.append(mebibytes)
    for name, values, unit in (("first start", cold, "s"), ("later start", warm, "s"), ("memory", memory, "MiB")):
        print(
            f"{name:12} median {statistics.median(values):7.2f} {unit}  (from {min(values):.2f} to {max(values):.2f})"
        )


if __name__ == "__main__":
    main()
