"""What was decided acts: one node of networks, one hit of a search, one page with what every source says; until it is
undone. What was only proposed changes nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from kg_service import resources
from kg_service.datasets import described, loading
from kg_service.leading import leading
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import Endpoint
from tests.conftest import remote_settings
from tests.identity.conftest import DIRECTORY, ID, ONE, OTHER, TOKEN
from tests.identity.test_deciding import decide
from tests.serving import running
from tests.web import html

#: Both entries are members of the same body, and each of one of its own; a candidate is proposed by hand.
TIES = """
@prefix sse: <https://w3id.org/sse-kg/ontology#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix org: <http://www.w3.org/ns/org#> . @prefix id: <https://w3id.org/sse-kg/id/> .
@prefix organisation: <https://w3id.org/sse-kg/id/organisation/> .
@prefix membership: <https://w3id.org/sse-kg/id/membership/> .
<https://w3id.org/sse-kg/graph/ties> {
  organisation:guild a sse:Organisation , sse:Actor ; skos:prefLabel "The guild"@en .
  membership:one a sse:Membership ; skos:prefLabel "One in the guild"@en ;
    org:member organisation:oxfield-weavers ; org:organization organisation:guild .
  membership:other a sse:Membership ; skos:prefLabel "The other in the guild"@en ;
    org:member organisation:oxfield-weavers-coop ; org:organization organisation:guild .
  membership:third a sse:Membership ; skos:prefLabel "The other in the net"@en ;
    org:member organisation:oxfield-weavers-coop ; org:organization organisation:tejedoras .
}
"""
PROPOSED = """
@prefix sse: <https://w3id.org/sse-kg/ontology#> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix organisation: <https://w3id.org/sse-kg/id/organisation/> . @prefix id: <https://w3id.org/sse-kg/id/> .
<https://w3id.org/sse-kg/graph/inferred> {
  <https://w3id.org/sse-kg/id/claim/perhaps> a sse:Claim , rdf:Statement ;
    rdf:subject organisation:oxfield-weavers-coop ; rdf:predicate sse:sameActorAs ;
    rdf:object organisation:oxfield-weavers ; sse:certainty <https://w3id.org/sse-kg/id/certainty/inferred> ;
    sse:method "0.970 likely by bits: name 1 +9.0; prior 0 -4.0" ; sse:rationale "They are named alike."@en .
}
"""


def change(url: str, trig: str, kind: str = "application/trig") -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": kind}
    made = httpx.post(f"{url}/api/changes", content=trig.encode(), timeout=60, headers=headers)
    assert made.status_code == 201, made.text


def got(address: str, **parameters: str) -> dict[str, Any]:
    """What is answered, once what it needs is made."""
    until = time.monotonic() + 120
    while _waits(answer := httpx.get(address, params=parameters, timeout=60)):
        assert time.monotonic() < until, answer.text
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _waits(answer: httpx.Response) -> bool:
    """Whether what was asked for is still being made, or is of an earlier state."""
    return answer.status_code in (202, 503) or bool(answer.json().get("meta", {}).get("is_behind"))


def network(url: str, name: str, **parameters: str) -> dict[str, Any]:
    return got(f"{url}/api/networks/{name}", **parameters)


def edges(url: str, name: str) -> set[frozenset[str]]:
    return {
        frozenset((each["source"].removeprefix(ID), each["target"].removeprefix(ID)))
        for each in network(url, name)["edges"]
    }


def hits(url: str, words: str) -> list[dict[str, Any]]:
    return [hit for hit in got(f"{url}/api/search", q=words)["data"] if hit["iri"] in (ONE, OTHER)]


def page(url: str, iri: str) -> str:
    answer = httpx.get(f"{url}/page/organisation/{iri.removeprefix(ID)}", timeout=60, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    assert not html.read(answer.text).problems
    return answer.text


def told(url: str) -> dict[str, Any]:
    """All that a decision acts on."""
    return {
        "ties": edges(url, "member-body"),
        "hits": [(hit["iri"], hit["same"]) for hit in hits(url, "oxfield weavers")],
        "records": ["weave.example/en" in page(url, ONE), "https://www.weave.example/" in page(url, OTHER)],
    }


def acts(url: str) -> None:
    """A decision, from before it is made until it is undone."""
    change(url, TIES)
    apart = told(url)
    assert apart["ties"] == {
        frozenset(("oxfield-weavers", "guild")),
        frozenset(("oxfield-weavers-coop", "guild")),
        frozenset(("oxfield-weavers-coop", "tejedoras")),
    }
    assert {iri for iri, _ in apart["hits"]} == {ONE, OTHER}
    assert apart["records"] == [False, False]
    change(url, PROPOSED)
    assert told(url) == apart, "what is only proposed changes nothing"
    assert decide(url, "accept", leading=ONE).status_code == 201
    one = told(url)
    assert one["ties"] == {frozenset(("oxfield-weavers", "guild")), frozenset(("oxfield-weavers", "tejedoras"))}
    assert one["hits"] == [(ONE, [{"iri": OTHER, "label": "OXFIELD WEAVERS COOP LTD"}])]
    assert one["records"] == [True, True]
    (hit,) = hits(url, "coop ltd")
    assert (hit["iri"], "COOP" in "".join(piece["text"] for piece in hit["snippet"])) == (ONE, True)
    assert "graph/ties" not in page(url, ONE).partition('id="records"')[2].partition("<dl")[0]
    assert network(url, "member-body/distances", origin=OTHER)["values"]["reached"] == 2
    assert decide(url, "undo").status_code == 201
    assert told(url) == apart


def test_a_decision_acts_until_it_is_undone(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(settings.store, tmp_path / "store")
    with running(settings.model_copy(update={"store": tmp_path / "store"})) as url:
        acts(url)


def test_it_acts_on_another_engine(servers: Callable[[str], Endpoint], tmp_path: Path) -> None:
    with running(remote_settings(servers("oxigraph"), tmp_path / "own", token=TOKEN)) as url:
        change(url, (resources.folder("ontology") / "lists.ttl").read_text("utf-8"), "text/turtle")
        change(url, DIRECTORY)
        acts(url)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], {}),
        ([("b", "a")], {"b": "a"}),
        ([("c", "b"), ("b", "a")], {"c": "a", "b": "a"}),
        ([("c", "a"), ("c", "b")], {"c": "a", "b": "a"}),
        ([("b", "a"), ("a", "b")], {"b": "a"}),
        ([("a", "a")], {}),
        ([("d", "c"), ("b", "a"), ("c", "a"), ("z", "y")], {"d": "a", "c": "a", "b": "a", "z": "y"}),
    ],
)
def test_all_that_are_the_same_have_one_that_leads(pairs: list[tuple[str, str]], expected: dict[str, str]) -> None:
    assert leading(pairs) == expected
    assert leading(reversed(pairs)) == expected


# --- the real directory


@pytest.fixture(scope="module")
def directory(
    project: Settings, shared: Path, shapes: Shapes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A service over the project's own data and the RIPESS family of the directory beside the project."""
    root = tmp_path_factory.mktemp("directory") / "store"
    shutil.copytree(project.store, root)
    (dataset,) = described.named(resources.folder("data") / "datasets", ["ripess-family"])
    with EmbeddedStore(root) as store:
        (done,) = loading.load(store, shared, [dataset], shapes)
    if done.done is None:
        pytest.skip(f"not here: {', '.join(done.absent)}")
    with running(project.model_copy(update={"store": root, "token": SecretStr(TOKEN)})) as url:
        yield url


def test_ripess_lac_of_the_documents_and_of_the_directory_is_one(directory: str) -> None:
    """Members that only the directory knows, and the alliances of the documents, are tied to one node, in one hit."""
    lac = f"{ID}ripess-lac"
    found = got(f"{directory}/api/search", q="RIPESS LAC", type="Organisation")
    named = [hit["iri"] for hit in found["data"] if "RIPESS LAC" in (hit["label"] or "")]
    assert named == [lac]
    members = [tie for tie in network(directory, "member-body")["edges"] if lac in (tie["source"], tie["target"])]
    assert len(members) > 15
    allied = [tie for tie in network(directory, "actor-alliance")["edges"] if lac in (tie["source"], tie["target"])]
    assert allied
    text = page(directory, lac)
    assert "Grupo Red de Economía Solidaria" in text


def test_the_family_of_the_directory_becomes_one_with_that_of_the_documents(directory: str) -> None:
    """An entry that the directory has under another address is one with ours once that is decided, and two again."""
    ours, theirs = f"{ID}ripess", f"{ID}socioeco-472-1244"
    found = {each["id"] for each in network(directory, "member-body")["nodes"]}
    assert theirs in found
    assert decide(directory, "accept", theirs, ours, leading=ours).status_code == 201
    joined = {each["id"] for each in network(directory, "member-body")["nodes"]}
    assert joined == found - {theirs} | {ours}
    assert "ripess_family.csv" in page(directory, ours) or "ripess-family" in page(directory, ours)
    assert decide(directory, "undo", theirs, ours).status_code == 201
    assert {each["id"] for each in network(directory, "member-body")["nodes"]} == found
