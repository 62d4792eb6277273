"""Parameters are read as they are declared; what is wrong names itself, its value, and what is allowed."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from kg_service.api.parameters import LONGEST, MOST, Parameter, chosen_format, format_parameter, read
from kg_service.errors import NotAcceptable, WrongParameter
from kg_service.rdf import CSV, JSON, TURTLE

DECLARED = (
    Parameter(name="kind", description="a kind", allowed=("forum", "fair"), is_many=True),
    Parameter(name="theme", description="a theme", kind="iri", is_many=True),
    Parameter(name="limit", description="how many", kind="integer", default=100, least=1, most=1000),
    Parameter(name="start", description="when", kind="date"),
    Parameter(name="lang", description="language", kind="language"),
    Parameter(name="whole", description="all of it", kind="boolean", default=False),
    Parameter(name="q", description="words"),
)


def request(query: str, accept: str = "*/*") -> Request:
    headers = [(b"accept", accept.encode())]
    return Request({"type": "http", "method": "GET", "query_string": query.encode(), "headers": headers, "path": "/"})


def sent(query: str) -> dict[str, Any]:
    return read(request(query), DECLARED)


def test_what_is_not_sent_has_its_default() -> None:
    none = {"kind": (), "theme": (), "limit": 100, "start": None, "lang": None, "whole": False, "q": None}
    assert sent("") == none


def test_values_have_the_types_that_are_declared() -> None:
    found = sent("limit=7&start=2019-04&lang=pt-BR&whole=true&q=%C3%91and%C3%BA")
    assert (found["limit"], found["start"], found["lang"], found["whole"]) == (7, "2019-04", "pt-BR", True)
    assert found["q"] == "Ñandú"


def test_many_values_come_by_repeating_or_by_commas_each_once() -> None:
    assert sent("kind=fair,forum&kind=fair")["kind"] == ("fair", "forum")
    assert sent("theme=http://a.org/x,y,http://b.org/z&theme=urn:c")["theme"] == (
        "http://a.org/x,y",
        "http://b.org/z",
        "urn:c",
    )


@pytest.mark.parametrize(
    ("query", "name", "value", "allowed"),
    [
        ("colour=red", "colour", "red", "kind, theme, limit"),
        ("limit=1&limit=2", "limit", "2", "once"),
        ("limit=0", "limit", "0", "from 1 to 1000"),
        ("limit=1e3", "limit", "1e3", "from 1 to 1000"),
        ("limit=%D9%A3", "limit", "٣", "from 1 to 1000"),
        ("kind=forum,party", "kind", "party", "forum, fair"),
        ("kind=", "kind", "", "forum, fair"),
        ("start=2019-13", "start", "2019-13", "2019-04-30"),
        ("start=2019-02-30", "start", "2019-02-30", "2019-04-30"),
        ("start=0000", "start", "0000", "2019-04-30"),
        ("lang=e n", "lang", "e n", "pt-BR"),
        ("whole=yes", "whole", "yes", "true, false"),
        ("theme=care", "theme", "care", "absolute IRI"),
        ("theme=urn:a%3E%20%7D", "theme", "urn:a> }", "absolute IRI"),
        ("q=", "q", "", f"1 to {LONGEST} characters"),
        ("q=a%00b", "q", "a\0b", "control"),
    ],
)
def test_what_is_wrong_names_itself(query: str, name: str, value: str, allowed: str) -> None:
    with pytest.raises(WrongParameter) as raised:
        sent(query)
    assert raised.value.status == 422
    assert (raised.value.more["parameter"], raised.value.more["value"]) == (name, value)
    assert allowed in raised.value.more["allowed"]


def test_there_are_bounds_to_length_and_number() -> None:
    for query in (f"q={'x' * (LONGEST + 1)}", "theme=" + ",".join(f"urn:{n}" for n in range(MOST + 1))):
        with pytest.raises(WrongParameter):
            sent(query)
    with pytest.raises(WrongParameter, match="it is needed"):
        read(request(""), [Parameter(name="q", description="words", is_required=True)])


def test_a_format_is_chosen_by_name_or_by_accept() -> None:
    among = (JSON, CSV)
    assert chosen_format(request("", "text/csv"), among) is CSV
    assert chosen_format(request("", "text/csv"), among, "json") is JSON
    with pytest.raises(NotAcceptable, match=r"known: application/sparql-results\+json, text/csv"):
        chosen_format(request("", TURTLE.media_types[0]), among)
    assert format_parameter(among).allowed == ("json", "csv")


def test_the_description_says_what_is_read() -> None:
    described = {each.name: each.openapi() for each in DECLARED}
    assert described["kind"]["schema"]["items"]["enum"] == ["forum", "fair"]
    assert described["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    pattern = described["start"]["schema"]["pattern"]
    assert [text for text in ("2019", "2019-04", "2019-04-30", "19") if re.search(pattern, text)] == [
        "2019",
        "2019-04",
        "2019-04-30",
    ]


@pytest.mark.parametrize("path", ["/sparql", "/api/events", "/health/live", "/nowhere"])
def test_an_address_that_is_too_long_is_refused_at_every_door(client: httpx.Client, path: str) -> None:
    refused = client.get(path, params={"x": "y" * 32768})
    assert (refused.status_code, refused.headers["content-type"]) == (414, "application/problem+json")
    assert "32768 bytes" in refused.json()["detail"]


@pytest.mark.parametrize("size", [70_000, 5_000_000])
def test_an_address_that_no_parser_takes_is_too_long_as_well(client: httpx.Client, size: int) -> None:
    at = client.base_url
    with socket.create_connection((at.host, at.port)) as connection:
        with contextlib.suppress(OSError):  # it may be refused before it is all sent
            connection.sendall(b"GET /api/events?q=" + b"x" * size + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        head = connection.recv(4096)
    assert head.startswith(b"HTTP/1.1 414 ")
    assert b"application/problem+json" in head


def test_what_is_no_request_is_told_as_a_problem(client: httpx.Client) -> None:
    at = client.base_url
    with socket.create_connection((at.host, at.port)) as connection:
        connection.sendall(b"BREAD /\r\n\r\n")
        assert b"application/problem+json" in connection.recv(4096)


def test_unknown_parameters_of_every_door_are_named(client: httpx.Client) -> None:
    for path in (
        "/api/changes",
        "/shapes",
        "/store?default",
        "/health/live",
        "/api/search?q=a",
        "/api/queries",
        "/feed",
    ):
        refused = client.get(path, params={"colour": "red"} | dict(httpx.URL(path).params))
        assert (refused.status_code, refused.json().get("parameter")) == (422, "colour"), (path, refused.text)
    validated = client.post("/api/validate?colour=red", content="", headers={"content-type": "text/turtle"})
    assert (validated.status_code, validated.json()["parameter"]) == (422, "colour")
    listed = client.get("/api/changes?limit=0")
    assert (listed.status_code, listed.json()["parameter"], listed.json()["value"]) == (422, "limit", "0")
