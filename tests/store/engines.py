"""Real SPARQL servers for the tests, on loopback, each ended with the process that started it.

An engine that cannot be had is skipped with the reason; where CI is set and the machine has what it takes to get it,
its absence is a failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg_service.store.remote import FUSEKI, OXIGRAPH, VIRTUOSO, Credentials, Endpoint

IS_CI = os.environ.get("CI", "").lower() == "true"
JENA = "5.6.0"
FUSEKI_USER = Credentials("basic", "secret", "reader")
#: Deadline of the servers that take none from a request, so that no runaway query outlives the tests.
SECONDS = 4

_FUSEKI = """
@prefix fuseki: <http://jena.apache.org/fuseki#> .
@prefix ja: <http://jena.hpl.hp.com/2005/11/Assembler#> .
[] a fuseki:Server ; fuseki:services ( <#open> <#locked> ) .
<#open> a fuseki:Service ; fuseki:name "ds" ; fuseki:allowTimeoutOverride true ;
  fuseki:endpoint
    [ fuseki:operation fuseki:query ; fuseki:name "sparql" ] ,
    [ fuseki:operation fuseki:update ; fuseki:name "update" ] ,
    [ fuseki:operation fuseki:gsp-rw ; fuseki:name "data" ] ;
  fuseki:dataset [ a ja:MemoryDataset ] .
<#locked> a fuseki:Service ; fuseki:name "locked" ; fuseki:allowedUsers "reader" ;
  fuseki:endpoint [ fuseki:operation fuseki:query ; fuseki:name "sparql" ] ;
  fuseki:dataset [ a ja:MemoryDataset ] .
"""

_VIRTUOSO = """
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
NumberOfBuffers = 10000
MaxDirtyBuffers = 6000
ThreadsPerQuery = 1
DefaultIsolation = 4
[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerThreads = 20
[SPARQL]
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def missing(reason: str, *, is_obtainable: bool) -> None:
    """Skips; fails where CI is set and the machine could have had it."""
    if IS_CI and is_obtainable:
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def running(command: list[str], folder: Path, probe: str, environment: dict[str, str] | None = None) -> Iterator[None]:
    """The server while it runs; entered when it answers the probe."""
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
            until = time.monotonic() + 90
            while not _answers(probe):
                log = (folder / "output.log").read_text(errors="replace")[-2000:]
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}: {log}"
                assert time.monotonic() < until, f"{command[0]} does not answer at {probe}: {log}"
                time.sleep(0.2)
            yield
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


@contextlib.contextmanager
def oxigraph(folder: Path) -> Iterator[Endpoint]:
    program = shutil.which("oxigraph", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        missing("the oxigraph server is not installed (pip install oxigraph)", is_obtainable=True)
    base = f"http://127.0.0.1:{free_port()}"
    command = [str(program), "serve", "--bind", base.removeprefix("http://"), "--timeout-s", str(SECONDS)]
    with running(command, folder, f"{base}/query"):
        yield Endpoint(f"{base}/query", f"{base}/update", f"{base}/store", dialect=OXIGRAPH)


@contextlib.contextmanager
def fuseki(folder: Path) -> Iterator[Endpoint]:
    """Fuseki with an open dataset and, at /locked, one for the user `reader` only."""
    java, jar = shutil.which("java"), _fuseki_jar()
    if java is None:
        missing("Fuseki needs Java 17 or newer", is_obtainable=False)
    port = free_port()
    (folder / "config.ttl").write_text(_FUSEKI)
    (folder / "passwd").write_text(f"{FUSEKI_USER.user}: {FUSEKI_USER.secret}\n")
    command = [str(java), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", str(jar), "--localhost"]
    command += ["--port", str(port), "--config", "config.ttl", "--passwd", "passwd", "--auth", "basic"]
    base = f"http://127.0.0.1:{port}/ds"
    with running(command, folder, f"{base}/sparql", {"FUSEKI_BASE": str(folder / "base")}):
        yield Endpoint(f"{base}/sparql", f"{base}/update", f"{base}/data", dialect=FUSEKI)


def _fuseki_jar() -> Path:
    """The server's jar, fetched by Maven when it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sse-kg"
    jar = cache / f"jena-fuseki-server-{JENA}.jar"
    if not jar.is_file():
        maven = shutil.which("mvn")
        if maven is None or shutil.which("java") is None:
            missing(f"{jar} is not there, and Maven or Java to fetch it neither", is_obtainable=False)
        artifact = f"-Dartifact=org.apache.jena:jena-fuseki-server:{JENA}:jar"
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
        command = [str(maven), "-B", "-q", goal, artifact, f"-DoutputDirectory={cache}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode or not jar.is_file():
            missing(f"Maven could not fetch Fuseki: {done.stdout[-500:]}", is_obtainable=True)
    return jar


@contextlib.contextmanager
def virtuoso(folder: Path) -> Iterator[Endpoint]:
    if shutil.which("virtuoso-t") is None:
        _install_virtuoso()
    port = free_port()
    (folder / "virtuoso.ini").write_text(_VIRTUOSO.format(folder=folder, port=port, sql_port=free_port()))
    base = f"http://127.0.0.1:{port}"
    with running(["virtuoso-t", "-f", "-c", "virtuoso.ini"], folder, f"{base}/sparql"):
        dba = Credentials("digest", "dba", "dba")
        yield Endpoint(f"{base}/sparql", f"{base}/sparql-auth", credentials=dba, dialect=VIRTUOSO)


def _install_virtuoso() -> None:
    can_install = IS_CI and os.geteuid() == 0 and shutil.which("apt-get") is not None
    if can_install:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=300)
        command = ["apt-get", "install", "-y", "--no-install-recommends", "virtuoso-opensource"]
        subprocess.run(command, capture_output=True, env=quiet, timeout=600)
    if shutil.which("virtuoso-t") is None:
        missing(
            "Virtuoso is not installed (apt-get install --no-install-recommends virtuoso-opensource)",
            is_obtainable=can_install,
        )


def empty(endpoint: Endpoint) -> None:
    """Clears the dataset, with its revision; of Virtuoso's graphs only those that are not its own."""
    assert endpoint.update
    login = endpoint.credentials
    auth = httpx.DigestAuth(login.user, login.secret) if login else None
    with httpx.Client(auth=auth, timeout=60, trust_env=False) as client:
        if endpoint.dialect is not VIRTUOSO:
            client.post(endpoint.update, data={"update": "CLEAR ALL"}).raise_for_status()
            return
        asked = {"query": "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }", "format": "json"}
        found = client.post(endpoint.query, data=asked).json()["results"]["bindings"]
        for graph in (row["g"]["value"] for row in found):
            if graph.startswith(("urn:", "https://w3id.org/")):
                client.post(endpoint.update, data={"update": f"CLEAR GRAPH <{graph}>"}).raise_for_status()
