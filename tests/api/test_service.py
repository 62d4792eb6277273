from __future__ import annotations

import gc
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from kg_service.settings import Settings
from tests.serving import running


def test_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready").json()
    assert (ready["status"], ready["generation"]) == ("ready", 1)
    assert ready["triples"] > 100


def test_without_data_it_lives_and_is_not_ready(tmp_path: Path) -> None:
    with running(Settings(store=tmp_path / "none")) as url:
        assert httpx.get(f"{url}/health/live").status_code == 200
        answer = httpx.get(f"{url}/health/ready")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "kg load" in answer.json()["detail"]


def test_nothing_keeps_a_service_that_has_ended(village: Settings) -> None:
    before = {id(each) for each in gc.get_objects() if isinstance(each, FastAPI)}
    paths = ("/docs", "/openapi.json", "/", "/api/themes", "/api/queries", "/page/theme/bread")
    with (
        running(village) as url,
        httpx.Client(base_url=url, timeout=60, headers={"accept": "text/html, */*"}) as reader,
    ):
        for path in paths:
            assert reader.get(path).status_code == 200
        assert reader.get("/sparql?query=ASK{}", headers={"accept": "*/*"}).status_code == 200
    gc.collect()
    left = [each for each in gc.get_objects() if isinstance(each, FastAPI) and id(each) not in before]
    assert not left


@pytest.mark.parametrize(
    ("collection", "slug", "label"),
    [
        ("organisations", "organisation/bakers", "Bakers’ Cooperative"),
        ("governments", "government/valley", "Valley Council"),
        ("events", "event/fair-2021", "Fair of 2021"),
        ("policies", "policy/charter", "Charter of the Valley"),
        ("recommendations", "recommendation/charter-1-1", "Bake together"),
        ("alliances", "alliance/oven", "The common oven"),
        ("themes", "theme/bread", "Bread"),
        ("places", "place/valley", "Valley"),
        ("documents", "document/chronicle", "Chronicle of the Valley"),
    ],
)
def test_each_collection_lists_its_things(client: httpx.Client, collection: str, slug: str, label: str) -> None:
    answer = client.get(f"/api/{collection}").json()
    assert answer["meta"]["count"] == len(answer["data"]) > 0
    iri = f"https://w3id.org/sse-kg/id/{slug}"
    assert [thing["label"] for thing in answer["data"] if thing["iri"] == iri] == [label]


def test_an_event_comes_with_its_dates_place_and_kind(client: httpx.Client) -> None:
    (fair,) = client.get("/api/events").json()["data"]
    assert fair["start"] == "2021-05-01"
    assert fair["end"] == "2021-05-02"
    assert fair["places"] == ["Valley"]
    assert fair["kind"] == "https://w3id.org/sse-kg/id/event-kind/forum"


def test_the_documentation_page_asks_nobody_else(client: httpx.Client) -> None:
    page = client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert not [address for address in addresses if address.startswith(("http", "//"))]
    for address in addresses:
        if address.startswith("/"):
            assert client.get(address).status_code == 200
    described = client.get("/openapi.json").json()
    assert {"/api/organisations", "/api/events", "/health/ready", "/sparql"} <= set(described["paths"])
