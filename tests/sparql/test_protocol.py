from __future__ import annotations

import random
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from kg_service.errors import KgError, Malformed, NotAcceptable, UnsupportedFormat
from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.sparql.protocol import Asked, asked, negotiate


def get(query: str = "ASK {}", accept: str = "*/*", **parameters: str) -> Asked:
    found = asked("GET", urlencode({"query": query, **parameters}).encode(), {"accept": accept}, b"")
    assert found
    return found


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "json"),
        ("", "json"),
        ("application/sparql-results+xml", "xml"),
        ("text/csv;q=0.5, text/tab-separated-values", "tsv"),
        ("text/*", "csv"),
        ("application/json", "json"),
        ("application/*;q=0.2, text/csv;q=0.1", "json"),
        ("application/sparql-results+json;q=0, */*;q=0.1", "xml"),
        ("TEXT/CSV", "csv"),
        ("text/csv; charset=utf-8", "csv"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "xml"),
        ("nonsense, text/csv;q=abc, text/csv;q=0.3", "csv"),
    ],
)
def test_the_most_specific_range_and_the_highest_quality_win(accept: str, expected: str) -> None:
    best = negotiate(accept, TABLE_FORMATS)
    assert best
    assert best.name == expected


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0"])
def test_nothing_acceptable_is_none(accept: str) -> None:
    assert negotiate(accept, TABLE_FORMATS) is None


def test_each_kind_of_answer_gets_its_format() -> None:
    assert (get(accept="text/turtle").table, get(accept="text/turtle").graph) == (None, "turtle")
    assert (get(accept="text/csv").table, get(accept="text/csv").graph) == ("csv", None)
    everything = get(accept="*/*")
    assert (everything.table, everything.boolean, everything.graph) == ("json", "json", "turtle")
    assert [negotiate(f.media_types[0], GRAPH_FORMATS) for f in GRAPH_FORMATS] == list(GRAPH_FORMATS)


def test_a_format_parameter_overrides_accept_and_must_be_known() -> None:
    assert get(accept="text/html", format="csv").table == "csv"
    assert get(format="ttl").graph == "turtle"
    with pytest.raises(Malformed, match='unknown format "html"; known: json, xml'):
        get(format="html")


def test_post_comes_as_form_or_direct() -> None:
    form = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    direct = {"content-type": "application/sparql-query"}
    by_form = asked("POST", b"", form, b"query=ASK+%7B%7D&default-graph-uri=urn%3Ag")
    by_body = asked("POST", b"default-graph-uri=urn:g", direct, "ASK { ?s ?p 'é' }".encode())
    assert by_form
    assert by_body
    assert (by_form.text, by_form.default_graphs) == ("ASK {}", ("urn:g",))
    assert (by_body.text, by_body.default_graphs) == ("ASK { ?s ?p 'é' }", ("urn:g",))


def test_form_values_are_decoded_once() -> None:
    assert get("ASK { ?s ?p '%41+%2B' }").text == "ASK { ?s ?p '%41+%2B' }"


def test_a_get_without_a_query_asks_for_the_description() -> None:
    assert asked("GET", b"", {}, b"") is None


@pytest.mark.parametrize(
    ("method", "query_string", "headers", "body", "error", "words"),
    [
        ("GET", "query=ASK+{}&query=ASK+{}", {}, b"", Malformed, "exactly one query"),
        ("POST", "", {"content-type": "application/x-www-form-urlencoded"}, b"", Malformed, "exactly one query"),
        ("POST", "query=ASK+{}", {"content-type": "application/sparql-query"}, b"ASK {}", Malformed, "exactly one"),
        ("POST", "", {"content-type": "text/plain"}, b"ASK {}", UnsupportedFormat, '"text/plain"'),
        ("POST", "", {}, b"ASK {}", UnsupportedFormat, "application/sparql-query"),
        ("POST", "", {"content-type": "application/sparql-query"}, b"ASK {\xff}", Malformed, "byte 5 is 0xff"),
        ("GET", "query=" + quote(b"\xff"), {}, b"", Malformed, "UTF-8"),
        ("GET", "query=ASK+{}&default-graph-uri=g", {}, b"", Malformed, 'absolute IRI, not "g"'),
        ("GET", "query=ASK+{}&timeout=soon", {}, b"", Malformed, 'not "soon"'),
        ("GET", "query=ASK+{}&timeout=-1", {}, b"", Malformed, 'not "-1"'),
        ("GET", "query=ASK+{}&timeout=nan", {}, b"", Malformed, 'not "nan"'),
        ("GET", "query=ASK+{}", {"accept": "image/png"}, b"", NotAcceptable, "text/turtle"),
    ],
)
def test_what_is_wrong_is_said(
    method: str, query_string: str, headers: dict[str, str], body: bytes, error: type[KgError], words: str
) -> None:
    with pytest.raises(error) as caught:
        asked(method, query_string.encode(), headers, body)
    assert words in caught.value.detail


def test_parameters_are_decoded_as_forms_are_everywhere() -> None:
    chance = random.Random(4)
    pieces = ["%", "%4", "%41", "%zz", "%C3%A9", "%ff", "%5C", "%25", "%0"]
    pieces += ["\\", "\\x41", "\\n", "+", "=", "&", "é", "a", "\r"]
    for _ in range(2000):
        text = "".join(chance.choices(pieces, k=chance.randrange(8)))
        try:
            expected = parse_qsl("query=" + text, keep_blank_values=True, errors="strict")[0][1]
        except UnicodeDecodeError:
            with pytest.raises(Malformed):
                asked("GET", b"query=" + text.encode(), {}, b"")
            continue
        found = asked("GET", b"query=" + text.encode(), {}, b"")
        assert found, text
        assert found.text == expected, text
