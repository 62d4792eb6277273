"""A text is judged on a page: its lines are marked, whatever the format, and nothing that it holds does any harm."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from pyoxigraph import RdfFormat, parse, serialize

from kg_service import resources
from kg_service.rdf import GRAPH_FORMATS, JSON_LD, RDF_XML, Format
from kg_service.settings import Settings
from kg_service.web.rendering import LANGUAGES
from kg_service.web.spots import spots
from kg_service.web.validation import guessed
from tests.serving import running
from tests.web import html

PREFIXES = """@prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
FAIR = (
    PREFIXES
    + """
<https://w3id.org/sse-kg/id/event/fair> a sse:Event ;
  skos:prefLabel "Feria «ñ» \U0001f33d"@es , \"\"\"One
fair, # no comment\"\"\"@en ; # a comment with "quotes
  schema:startDate "2022-02-02"^^xsd:date ;
  schema:endDate "2021-01-01"^^xsd:date .
"""
)
BASE = "https://w3id.org/sse-kg/"


def sent(service: httpx.Client, text: str | bytes, lang: str = "en", **fields: str) -> httpx.Response:
    """A text sent as a file, which keeps its bytes."""
    content = text.encode() if isinstance(text, str) else text
    files = {"file": (fields.pop("name", "data"), content)}
    return service.post(f"/validate?lang={lang}", data={"format": "automatic", "text": "", **fields}, files=files)


def marked(page: html.Document) -> dict[int, str]:
    """The severities of the marked lines."""
    rows = [each for each in page.all("tr") if each.attributes.get("id", "").startswith("line-")]
    kinds = {int(each.attributes["id"][5:]): each.attributes.get("class", "") for each in rows}
    return {number: kind for number, kind in kinds.items() if kind}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_line_of_a_violation_is_marked(service: httpx.Client, language: str) -> None:
    answer = sent(service, FAIR, language, name="fair.ttl")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    page = html.read(answer.text)
    assert not page.problems
    assert marked(page)[10] == "is-violation"
    assert marked(page)[7] in ("is-info", "is-warning")  # where the names are, a French one is missing
    assert page.elements[0].attributes["lang"] == language
    (area,) = page.all("textarea")
    assert area.text.removeprefix("\n") == FAIR


@pytest.mark.parametrize("how", GRAPH_FORMATS, ids=lambda how: how.name)
def test_lines_are_found_in_every_format(service: httpx.Client, how: Format) -> None:
    assert how.rdf
    quads = list(parse(FAIR, RdfFormat.TURTLE))
    text = (serialize((quad.triple for quad in quads), None, how.rdf) or b"").decode()
    if how is JSON_LD:
        text = json.dumps(json.loads(text), indent=1)
    text = text.replace("><", ">\n<")
    page = html.read(sent(service, text, name=f"fair.{how.endings[0]}").text)
    wrong = next(number for number, line in enumerate(text.split("\n"), 1) if "2021-01-01" in line)
    assert marked(page)[wrong] == "is-violation"


@pytest.mark.parametrize("how", GRAPH_FORMATS, ids=lambda how: how.name)
def test_every_statement_of_the_own_data_is_found_where_it_stands(how: Format) -> None:
    """Against the parser: what it reads of a text is what has a line, blank nodes aside."""
    assert how.rdf
    village = (Path(__file__).parents[1] / "data" / "village.ttl").read_text("utf-8")
    triples = [quad.triple for quad in parse(village, RdfFormat.TURTLE)]
    prefixes = {"sse": f"{BASE}ontology#", "skos": "http://www.w3.org/2004/02/skos/core#"}
    text = village if how.name == "turtle" else (serialize(triples, None, how.rdf, prefixes=prefixes) or b"").decode()
    context = json.loads((resources.folder("ontology") / "context.jsonld").read_bytes())["@context"]
    found = {(each.subject, each.property, each.object) for each in spots(text, how, base=BASE, context=context)}
    for triple in triples:
        parts = [getattr(each, "value", "") for each in (triple.subject, triple.predicate, triple.object)]
        if all(str(each)[:2] != "_:" for each in (triple.subject, triple.object)):
            assert tuple(parts) in found


def test_our_own_json_ld_has_its_lines(service: httpx.Client) -> None:
    text = json.dumps(
        {
            "@context": {"sse": f"{BASE}ontology#", "id": "@id", "type": "@type", "end": "https://schema.org/endDate"},
            "id": f"{BASE}id/event/fair",
            "type": "sse:Event",
            "end": "soon",
        },
        indent=1,
    )
    page = html.read(sent(service, text).text)
    assert marked(page)[text[: text.index('"soon"')].count("\n") + 1] == "is-violation"


def test_a_text_that_is_no_rdf_is_shown_with_the_place(service: httpx.Client) -> None:
    answer = sent(service, FAIR.replace("schema:endDate ", "schema:endDate , "), format="turtle")
    assert answer.status_code == 200
    page = html.read(answer.text)
    assert marked(page) == {10: "is-violation"}
    assert "Line 10, column 18" in answer.text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[" * 3000, "nested deeper"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><rdf:RDF/>', "DOCTYPE"),
        (b"\xff\xfe\x00broken", "cannot be read"),
        ("no rdf at all", "cannot be read"),
    ],
)
def test_what_breaks_parsers_is_a_sentence(service: httpx.Client, text: str | bytes, what: str) -> None:
    answer = sent(service, text, format="rdf-xml" if "DOCTYPE" in str(text) else "automatic")
    assert answer.status_code == 200
    assert what in answer.text


def test_nothing_that_a_text_holds_becomes_part_of_the_page(service: httpx.Client) -> None:
    text = FAIR + '<javascript:alert(1)> a sse:Event ; skos:prefLabel "</textarea><script>alert(1)</script>"@en .\n'
    answer = sent(service, text, name='"><img src=x onerror=alert(1)>.ttl')
    page = html.read(answer.text)
    assert not page.problems
    assert not page.all("script")
    assert not page.all("img")
    assert not [each for each in page.all("a") if each.attributes.get("href", "").startswith("javascript")]


def test_of_a_long_text_the_lines_around_what_is_wrong_are_shown(service: httpx.Client) -> None:
    text = FAIR + "\n".join(f"# {number}" for number in range(100_000))
    answer = sent(service, text)
    assert marked(html.read(answer.text))[10] == "is-violation"
    assert len(answer.content) < 100_000


def test_an_empty_form_asks_for_a_text(service: httpx.Client) -> None:
    answer = service.post("/validate", data={"text": "  ", "format": "automatic"})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    ("data", "status"),
    [({"text": "x", "format": "word"}, 422), ({"text": "x", "with": "everything"}, 422)],
)
def test_a_wrong_field_is_named(service: httpx.Client, data: dict[str, str], status: int) -> None:
    answer = service.post("/validate", data=data)
    assert answer.status_code == status
    assert "one of:" in html.read(answer.text).all("main")[0].text


def test_a_body_that_is_no_form_is_refused(service: httpx.Client) -> None:
    for content_type in ("text/turtle", "multipart/form-data", "multipart/form-data; boundary=x"):
        answer = service.post("/validate", content=b"--y\r\nx", headers={"content-type": content_type})
        assert answer.status_code in (400, 415), content_type


def test_the_page_has_an_example_and_answers_head(service: httpx.Client) -> None:
    page = html.read(service.get("/validate").text)
    assert "sse:Event" in page.all("textarea")[0].text
    assert service.head("/validate").status_code == 200
    assert service.get("/validate?wrong=1").status_code == 422


def test_beside_another_engine_a_text_is_judged_alone(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "store", query_url="http://127.0.0.1:9/query", engine_folder=tmp_path)
    with running(settings) as url:
        answer = httpx.post(f"{url}/validate", data={"text": FAIR}, headers={"accept": "text/html"}, timeout=60)
    assert answer.status_code == 200
    assert marked(html.read(answer.text))[10] == "is-violation"
    assert not [each for each in html.read(answer.text).all("input") if each.attributes.get("name") == "with"]


@pytest.mark.parametrize(
    ("text", "file", "name"),
    [
        (FAIR, "", "turtle"),
        ("<urn:a> <urn:b> <urn:c> .", "", "turtle"),
        ("GRAPH <urn:g> { <urn:a> <urn:b> 1 }", "", "trig"),
        ("<urn:a> <urn:b> <urn:c> <urn:d> .", "", "n-quads"),
        ('<urn:a> <urn:b> "x . <y>"@en _:g .', "", "n-quads"),
        ('[] <urn:a> "x" .', "", "turtle"),
        ('[ { "@id": "urn:a" } ]', "", "json-ld"),
        ('\ufeff  {"a": 1}', "", "json-ld"),
        ("<?xml version='1.0'?><x/>", "", RDF_XML.name),
        ("anything", "a.b.NT", "n-triples"),
    ],
)
def test_the_format_is_found_out(text: str, file: str, name: str) -> None:
    assert guessed(text, file).name == name
