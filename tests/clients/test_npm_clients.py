"""Programs of others, from npm, against the running service: Comunica and the LDES client."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, parse

from kg_service.settings import Settings
from tests.api.test_feed import many
from tests.api.test_patches import dataset, update
from tests.clients import npm_programs
from tests.serving import running

EVENT = "https://w3id.org/sse-kg/ontology#Event"
_TOLD = ("http://www.w3.org/ns/prov#generatedAtTime", "http://www.w3.org/ns/prov#wasGeneratedBy")


@pytest.fixture(scope="module")
def programs() -> tuple[str, Path]:
    return npm_programs.installed()


def comunica(programs: tuple[str, Path], source: str, query: str, form: str = "application/sparql-results+json") -> str:
    return npm_programs.run(programs, "@comunica/query-sparql/bin/query.js", source, query, "-t", form)


def base(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def rows(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["results"]["bindings"]
    return found


def test_comunica_asks_the_endpoint(programs: tuple[str, Path], client: httpx.Client) -> None:
    query = f"SELECT ?s ?p ?o {{ ?s a <{EVENT}> ; ?p ?o }} ORDER BY ?s ?p ?o"
    found = rows(comunica(programs, f"sparql@{base(client)}/sparql", query))
    wanted = client.get("/sparql", params={"query": query, "format": "json"}).json()["results"]["bindings"]
    assert len(found) == len(wanted) > 3
    assert {row["o"]["value"] for row in found} == {row["o"]["value"] for row in wanted}


def test_comunica_finds_the_endpoint_by_its_description(programs: tuple[str, Path], client: httpx.Client) -> None:
    """Without being told what it is: by what a GET without a query says."""
    construct = f"CONSTRUCT {{ ?s a <{EVENT}> }} {{ ?s a <{EVENT}> }}"
    text = comunica(programs, f"{base(client)}/sparql", construct, "application/n-quads")
    wanted = client.get("/sparql", params={"query": construct, "format": "nt"}).content
    assert set(parse(text, RdfFormat.N_QUADS)) == set(parse(wanted, RdfFormat.N_TRIPLES))


def test_comunica_reads_documents(programs: tuple[str, Path], client: httpx.Client) -> None:
    event = client.get("/sparql", params={"query": f"SELECT ?s {{ ?s a <{EVENT}> }}", "format": "csv"}).text.split()[1]
    here = event.replace("https://w3id.org/sse-kg", base(client))
    name = f"SELECT ?name {{ <{event}> <http://www.w3.org/2004/02/skos/core#prefLabel> ?name }}"
    wanted = client.get("/sparql", params={"query": name, "format": "json"}).json()["results"]["bindings"]
    found = {row["name"]["value"] for row in rows(comunica(programs, here, name))}
    assert found == {row["name"]["value"] for row in wanted}
    triples = "SELECT ?n { <https://w3id.org/sse-kg/dataset> <http://rdfs.org/ns/void#triples> ?n }"
    asked = {"query": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "format": "csv"}
    (figure,) = rows(comunica(programs, f"{base(client)}/.well-known/void", triples))
    assert figure["n"]["value"] == client.get("/sparql", params=asked).text.split()[1]


def as_n_quads(printed: str) -> str:
    """What the LDES client prints: beside its messages, N-Quads with whole numbers as Turtle has them."""
    lines = (line for line in printed.splitlines() if line.startswith("<"))
    integer = r' "\1"^^<http://www.w3.org/2001/XMLSchema#integer> \2.'
    return "\n".join(re.sub(r" (-?\d+) (<[^<>\s]*> )?\.$", integer, line) for line in lines)


def test_the_ldes_client_has_the_present_state(programs: tuple[str, Path], tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "store", token=SecretStr("open sesame"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        update(client, many(0, 600, "first"))
        update(client, many(300, 320, "second"))
        update(client, "DELETE WHERE { GRAPH <urn:g> { <urn:many/7> ?p ?o } }")
        update(client, 'INSERT DATA { GRAPH <urn:h> { <urn:many/8> <urn:p> 8, "é"@fr } }')
        text = npm_programs.run(
            programs, "ldes-client/dist/bin/cli.js", f"{url}/feed", "--materialize", "--last-version-only"
        )
    found = set(parse(as_n_quads(text), RdfFormat.N_QUADS))
    own = {q for q in found if isinstance(q.graph_name, DefaultGraph) and q.predicate.value in _TOLD}
    deleted = Quad(
        NamedNode("urn:many/7"),
        NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"),
        NamedNode("https://www.w3.org/ns/activitystreams#Delete"),
    )
    assert found - own - {deleted} == dataset(settings)
