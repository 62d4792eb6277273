"""Real SPARQL servers for the tests, on loopback, each ended with the process that started it.

An engine that cannot be had is skipped with the reason; where CI is set and the machine has what it takes to get it,
its absence is a failure.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks import engines
from benchmarks.engines import Missing, free_port
from kg_service.store.remote import FUSEKI, OXIGRAPH, VIRTUOSO, Credentials, Endpoint

__all__ = ["empty", "free_port", "fuseki", "oxigraph", "virtuoso"]

IS_CI = os.environ.get("CI", "").lower() == "true"
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


@contextlib.contextmanager
def _or_skipped() -> Iterator[None]:
    """Skips when the engine is missing; fails where CI is set and the machine could have had it."""
    try:
        yield
    except Missing as missing:
        if IS_CI and missing.is_obtainable:
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@contextlib.contextmanager
def oxigraph(folder: Path, seconds: int = SECONDS) -> Iterator[Endpoint]:
    with _or_skipped(), engines.oxigraph(folder, "--timeout-s", str(seconds)) as server:
        yield Endpoint(server.query, server.update, server.graph_store, dialect=OXIGRAPH)


@contextlib.contextmanager
def fuseki(folder: Path) -> Iterator[Endpoint]:
    """Fuseki with an open dataset and, at /locked, one for the user `reader` only."""
    (folder / "passwd").write_text(f"{FUSEKI_USER.user}: {FUSEKI_USER.secret}\n")
    login = ("--passwd", "passwd", "--auth", "basic")
    quick = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    with _or_skipped(), engines.fuseki(folder, _FUSEKI, *login, java=quick) as server:
        yield Endpoint(server.query, server.update, server.graph_store, dialect=FUSEKI)


@contextlib.contextmanager
def virtuoso(folder: Path) -> Iterator[Endpoint]:
    can_install = IS_CI and os.geteuid() == 0 and shutil.which("apt-get") is not None
    if shutil.which("virtuoso-t") is None and can_install:
        with engines.one_at_a_time("virtuoso"):
            if shutil.which("virtuoso-t") is None:
                _install_virtuoso()
        if shutil.which("virtuoso-t") is None:
            pytest.fail("Virtuoso could not be installed")
    with _or_skipped(), engines.virtuoso(folder) as server:
        dba = Credentials("digest", "dba", "dba")
        yield Endpoint(server.query, server.update, credentials=dba, dialect=VIRTUOSO)


def _install_virtuoso() -> None:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=300)
    command = ["apt-get", "install", "-y", "--no-install-recommends", "virtuoso-opensource"]
    subprocess.run(command, capture_output=True, env=quiet, timeout=600)


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
            if graph.startswith(("urn:", "https://w3id.org/", "http://127.0.0.1:")):
                client.post(endpoint.update, data={"update": f"CLEAR GRAPH <{graph}>"}).raise_for_status()


SERVERS = {"oxigraph": oxigraph, "fuseki": fuseki, "virtuoso": virtuoso}
