"""`/api/queries`: the questions with bound parameters, page by page, in all formats, and as text to copy."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pyoxigraph import Store

from kg_service import queries, resources
from kg_service.errors import Malformed
from kg_service.rdf import TABLE_FORMATS, Format, Literal, NamedNode
from kg_service.settings import Settings
from kg_service.store import Delta, is_default
from kg_service.store.embedded import snapshot
from kg_service.store.remote import Endpoint, RemoteStore
from tests.conftest import remote_settings
from tests.serving import running
from tests.store import engines

ID = "https://w3id.org/sse-kg/id/"
QUERIES = resources.folder("queries")
EXPECTED = Path(__file__).resolve().parent.parent / "data" / "expected"
NAMES = queries.names(QUERIES)


@pytest.fixture(scope="module", params=["embedded", "oxigraph"])
def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    project: Settings,
    servers: Callable[[str], Endpoint],
) -> Iterator[httpx.Client]:
    """A client of a service over the project's own data."""
    settings = project
    if request.param != "embedded":
        endpoint = servers("oxigraph")
        engines.empty(endpoint)
        with snapshot(project.store) as store:
            named = frozenset(quad for quad in store if not is_default(quad))
        RemoteStore(endpoint).apply(Delta(added=named))
        settings = remote_settings(endpoint, tmp_path_factory.mktemp("queries"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_every_question_is_listed_described_and_answered_as_its_file_stands(service: httpx.Client) -> None:
    listed = {each["name"]: each for each in service.get("/api/queries").json()["data"]}
    assert sorted(listed) == NAMES
    paths = service.get("/openapi.json").json()["paths"]
    for name in NAMES:
        assert f"/api/queries/{name}" in paths
        answer = service.get(f"/api/queries/{name}.csv")
        expected = EXPECTED / f"{name}.csv"
        if expected.is_file():
            assert rows(answer) == list(csv.reader(expected.open(encoding="utf-8", newline=""))), name
        assert answer.status_code == 200, name


def test_values_are_bound_and_the_text_to_copy_holds_them(service: httpx.Client) -> None:
    asked = {"theme": "gender-equality"}
    answer = service.get("/api/queries/recommendations/by-theme", params=asked, headers={"accept": "text/csv"})
    assert len(rows(answer)) > 5
    assert rows(service.get("/api/queries/recommendations/by-theme.csv")) != rows(answer)
    where, _, about = answer.headers["link"].partition(">; ")
    assert about.startswith('rel="describedby"; type="application/sparql-query"')
    text = service.get(where.removeprefix("<"))
    assert text.headers["content-type"].startswith("application/sparql-query")
    assert f"<{ID}theme/gender-equality>" in text.text
    copied = service.get("/sparql", params={"query": text.text}, headers={"accept": "text/csv"})
    assert copied.content == answer.content
    by_iri = service.get("/api/queries/recommendations/by-theme.csv", params={"theme": f"{ID}theme/gender-equality"})
    assert by_iri.content == answer.content


def test_several_values_dates_and_words_are_bound(service: httpx.Client) -> None:
    both = rows(service.get("/api/queries/events/in-country.csv?area=mexico,spain"))
    one = rows(service.get("/api/queries/events/in-country.csv?area=mexico"))
    assert len(both) >= len(one) > 1
    dated = rows(service.get("/api/queries/events/in-period.csv?from=2019-10&to=2019"))[1:]
    assert [row[2] for row in dated] == ["2019-10", "2019-11", "2019-12-09"]
    assert len(rows(service.get("/api/queries/recommendations/containing-word.csv?word=network"))) > 1


@pytest.mark.parametrize(
    "hostile",
    [
        '" } } INSERT DATA { <urn:a> <urn:b> 1 } #',
        "x'\\",
        "\\u0022 } UNION { ?s ?p ?o",
        "}",
        "?x",
        'a"@en , ?y',
        "\u202e",
    ],
)
def test_a_value_can_be_nothing_but_a_value(service: httpx.Client, hostile: str) -> None:
    answer = service.get("/api/queries/recommendations/containing-word.csv", params={"word": hostile})
    assert rows(answer) == [["order", "recommendation", "recommendation_label"]]
    text = service.get("/api/queries/recommendations/containing-word.rq", params={"word": hostile}).text
    assert str(Literal(hostile)) in text
    refused = service.get("/api/queries/recommendations/by-theme", params={"theme": f"{ID}theme/x> }} {hostile}"})
    assert refused.status_code == 422


def test_pages_are_parts_of_the_whole_and_end_with_it(service: httpx.Client) -> None:
    heads, *whole = rows(service.get("/api/queries/recommendations/in-order.csv"))
    for limit in (10, 11, 77, 100):
        found, path = [], f"/api/queries/recommendations/in-order.csv?limit={limit}"
        while path:
            answer = service.get(path)
            names, *part = rows(answer)
            assert (names, len(part) <= limit, bool(part)) == (heads, True, True)
            found += part
            following = re.search(r'<([^>]+)>; rel="next"', answer.headers["link"])
            path = following[1] if following else ""
        assert found == whole
    (_, *top) = rows(service.get("/api/queries/provenance/most-quoted.csv?limit=7&offset=8"))
    assert len(top) == 2, "its own limit of ten still holds"


@pytest.mark.parametrize("how", TABLE_FORMATS, ids=lambda how: str(how.name))
def test_all_formats_by_accept_ending_and_parameter(service: httpx.Client, how: Format) -> None:
    path = "/api/queries/guidelines/blocks-in-order"
    answers = [
        service.get(path, headers={"accept": how.media_type}),
        service.get(f"{path}.{how.endings[0]}"),
        service.get(f"{path}?format={how.name}", headers={"accept": "text/html"}),
    ]
    assert {answer.headers["content-type"] for answer in answers} == {how.media_type}
    assert len({answer.content for answer in answers}) == 1
    again = service.get(path, headers={"accept": how.media_type, "if-none-match": answers[0].headers.get("etag", "-")})
    assert again.status_code == (304 if "etag" in answers[0].headers else 200)
    assert service.get(path, headers={"accept": "text/html"}).status_code == 406


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("recommendations/by-theme?colour=red", "colour"),
        ("recommendations/by-theme?theme=a&theme=b", "theme"),
        ("recommendations/by-theme?theme=", "theme"),
        ("actors/makers?relation=foo", "relation"),
        ("events/in-period?from=tomorrow", "from"),
        ("events/in-order?limit=0", None),
        ("recommendations/in-order?limit=0", "limit"),
        ("recommendations/in-order?offset=-1", "offset"),
        ("recommendations/in-order?format=turtle", "format"),
        ("quality/names-missing?language=e%20n", "language"),
    ],
)
def test_what_is_wrong_names_itself(service: httpx.Client, path: str, parameter: str | None) -> None:
    refused = service.get(f"/api/queries/{path}")
    if parameter is None:
        assert refused.status_code == 404
        assert "events/in-period" in refused.json()["detail"]
        return
    assert refused.status_code == 422
    assert refused.json()["parameter"] == parameter


# ---- Files ----


def test_every_value_that_a_file_offers_for_change_is_declared() -> None:
    """All data blocks of one variable are parameters."""
    for question in queries.every(QUERIES):
        if question.name.split("/")[0] in ("checks", "lists", "network", "nodes", "sdgs"):
            continue  # what these count is part of what other doors mean
        offered = set(re.findall(r"VALUES \?(\w+) \{", question.text))
        assert offered == {variable.name for variable in question.variables}, question.name


def test_a_bound_text_asks_what_it_says_for_any_term() -> None:
    question = queries.read(QUERIES, "recommendations/containing-word")
    store = Store()
    for word in ("a", '"', "\\", "\n", "{", "}", "?x", "#", "\u0000", "🜁", "'''"):
        text = question.bound({"word": [Literal(word)]})
        assert list(store.query(text)) == []  # type: ignore[arg-type]
        bare = text.replace(str(Literal(word)), "")
        assert bare == question.text.replace('"cooperat"', "")


def test_defaults_are_the_files_own_terms() -> None:
    (goal,) = queries.read(QUERIES, "recommendations/by-sdg").variables
    assert goal.default == (NamedNode("http://metadata.un.org/sdg/2"),)
    assert json.dumps([goal.short(term) for term in goal.default]) == '["2"]'


@pytest.mark.parametrize(
    "head", ["x iri:theme | X", "theme colour | X", "theme iri:theme", "theme iri:theme most | X"]
)  # no such block, no such kind, no description, no such word
def test_a_wrong_declaration_is_refused(tmp_path: Path, head: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.rq").write_text(f"# summary: B\n# param: {head}\nSELECT * {{ VALUES ?theme {{ <urn:a> }} }}")
    with pytest.raises(Malformed, match="param"):
        queries.read(tmp_path, "a/b")
