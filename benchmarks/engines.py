"""Real SPARQL servers on loopback, each ended with the process that started it: for the benchmarks and the tests.

Each is a context manager that starts the server with its files in a folder and is entered when the server answers.
What cannot be had raises Missing with the reason.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

JENA = "5.6.0"

VIRTUOSO_INI = """
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
MaxCheckpointRemap = 2000
[TempDatabase]
DatabaseFile = {folder}/temp.db
TransactionFile = {folder}/temp.trx
MaxCheckpointRemap = 2000
[Parameters]
ServerPort = 127.0.0.1:{sql_port}
NumberOfBuffers = {buffers}
MaxDirtyBuffers = {dirty}
ThreadsPerQuery = 1
DefaultIsolation = 4
DirsAllowed = {folder}
[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerThreads = 20
[SPARQL]
"""


class Missing(Exception):
    """The server is not there; `is_obtainable` when this machine could have had it."""

    def __init__(self, reason: str, *, is_obtainable: bool) -> None:
        super().__init__(reason)
        self.is_obtainable = is_obtainable


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its process and where it answers."""

    process: int
    query: str
    update: str
    graph_store: str | None = None
    sql_port: int | None = None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, probe: str, environment: Mapping[str, str] | None = None, seconds: float = 90
) -> Iterator[int]:
    """The server's process id while it runs; entered when it answers the probe."""
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | (environment or {}),
            preexec_fn=_end_with_parent,
        )
        try:
            until = time.monotonic() + seconds
            while not _answers(probe):
                log = (folder / "output.log").read_text(errors="replace")[-2000:]
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}: {log}"
                assert time.monotonic() < until, f"{command[0]} does not answer at {probe}: {log}"
                time.sleep(0.2)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _answers(probe: str) -> bool:
    try:
        answer = httpx.get(probe, params={"query": "ASK {}"}, timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def oxigraph_program() -> str:
    program = shutil.which("oxigraph", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        raise Missing("the oxigraph server is not installed (pip install oxigraph)", is_obtainable=True)
    return program


@contextlib.contextmanager
def oxigraph(folder: Path, *arguments: str) -> Iterator[Server]:
    """The oxigraph server; in memory unless the arguments say where."""
    base = f"http://127.0.0.1:{free_port()}"
    command = [oxigraph_program(), "serve", "--bind", base.removeprefix("http://"), *arguments]
    with running(command, folder, f"{base}/query") as process:
        yield Server(process, f"{base}/query", f"{base}/update", f"{base}/store")


@contextlib.contextmanager
def fuseki(folder: Path, config: str, *arguments: str, java: Sequence[str] = ()) -> Iterator[Server]:
    """Fuseki with that configuration, of which the service `ds` is the one given back."""
    port = free_port()
    (folder / "config.ttl").write_text(config)
    command = [*fuseki_program(*java), "-jar", str(fuseki_jar()), "--localhost", "--port", str(port)]
    command += ["--config", "config.ttl", *arguments]
    base = f"http://127.0.0.1:{port}/ds"
    with running(command, folder, f"{base}/sparql", {"FUSEKI_BASE": str(folder / "base")}) as process:
        yield Server(process, f"{base}/sparql", f"{base}/update", f"{base}/data")


def fuseki_program(*arguments: str) -> list[str]:
    java = shutil.which("java")
    if java is None:
        raise Missing("Fuseki needs Java 17 or newer", is_obtainable=False)
    return [java, *arguments]


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Held by one process of this machine; others wait."""
    with (Path(tempfile.gettempdir()) / f"sse-kg-{os.geteuid()}-{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fuseki_jar() -> Path:
    """The server's jar, fetched by Maven when it is not there yet."""
    with one_at_a_time("fuseki"):
        return _fuseki_jar()


def _fuseki_jar() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sse-kg"
    jar = cache / f"jena-fuseki-server-{JENA}.jar"
    if not jar.is_file():
        maven = shutil.which("mvn")
        if maven is None or shutil.which("java") is None:
            raise Missing(f"{jar} is not there, and Maven or Java to fetch it neither", is_obtainable=False)
        artifact = f"-Dartifact=org.apache.jena:jena-fuseki-server:{JENA}:jar"
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
        command = [str(maven), "-B", "-q", goal, artifact, f"-DoutputDirectory={cache}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode or not jar.is_file():
            raise Missing(f"Maven could not fetch Fuseki: {done.stdout[-500:]}", is_obtainable=True)
    return jar


@contextlib.contextmanager
def virtuoso(folder: Path, *, buffers: int = 10_000) -> Iterator[Server]:
    """Virtuoso with an empty database and that many pages of 8 KB in memory; its user is dba, its password dba."""
    if shutil.which("virtuoso-t") is None:
        reason = "Virtuoso is not installed (apt-get install --no-install-recommends virtuoso-opensource)"
        raise Missing(reason, is_obtainable=False)
    port, sql_port = free_port(), free_port()
    ini = VIRTUOSO_INI.format(folder=folder, port=port, sql_port=sql_port, buffers=buffers, dirty=buffers * 6 // 10)
    (folder / "virtuoso.ini").write_text(ini)
    base = f"http://127.0.0.1:{port}"
    with running(["virtuoso-t", "-f", "-c", "virtuoso.ini"], folder, f"{base}/sparql") as process:
        yield Server(process, f"{base}/sparql", f"{base}/sparql-auth", sql_port=sql_port)


#: The program of an rdflib-endpoint over rdflib's own memory store.
_RDFLIB_ENDPOINT = """
import sys, rdflib, uvicorn
from rdflib_endpoint import SparqlEndpoint
graph = rdflib.Graph().parse(sys.argv[1], format="nt")
uvicorn.run(SparqlEndpoint(graph=graph, enable_update=True), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


@contextlib.contextmanager
def rdflib_endpoint(folder: Path, data: Path, *, seconds: float) -> Iterator[Server]:
    """rdflib-endpoint over a memory store that holds the N-Triples file; loading it must not take longer than said."""
    port = free_port()
    command = [sys.executable, "-c", _RDFLIB_ENDPOINT, str(data), str(port)]
    base = f"http://127.0.0.1:{port}/"
    with running(command, folder, base, seconds=seconds) as process:
        yield Server(process, base, base)
