"""What a document is put together of belongs together, whatever is written meanwhile or asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.rdf import ENTITY, GRAPH, PREFIXES
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running

TOKEN = {"authorization": "Bearer open sesame"}
SKOS = PREFIXES["skos"]
ROUNDS = 25


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[httpx.Client]:
    root = tmp_path_factory.mktemp("consistency") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
    about = Settings(store=root, token=SecretStr("open sesame"))
    with running(about) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_a_document_is_of_one_generation(service: httpx.Client) -> None:
    """Each change gives a theme and its neighbour the same number; no document has two numbers."""

    def update(number: int) -> str:
        bread, fair = f"<{ENTITY}theme/bread>", f"<{ENTITY}event/fair-2021>"
        said = f'{bread} <{SKOS}note> "n{number}"@en . {fair} <{SKOS}prefLabel> "n{number}"@de'
        return (
            f"DELETE {{ GRAPH <{GRAPH}c> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{GRAPH}c> {{ ?s ?p ?o }} }} ; "
            f"INSERT DATA {{ GRAPH <{GRAPH}c> {{ {said} }} }}"
        )

    def write() -> None:
        for number in range(ROUNDS):
            answer = httpx.post(
                f"{service.base_url}/update", data={"update": update(number)}, headers=TOKEN, timeout=30
            )
            assert answer.status_code == 200, answer.text

    writing = threading.Thread(target=write)
    writing.start()
    seen, read, is_last = set[str](), 0, False
    while not is_last or read < 3:
        is_last = not writing.is_alive()  # asked before reading, so that the last state is read
        answer = service.get("/data/theme/bread.nt")
        assert answer.status_code == 200, answer.text
        numbers = {word.strip('"') for word in answer.text.replace("@", " ").split() if word.startswith('"n')}
        numbers &= {f"n{number}" for number in range(ROUNDS)}
        assert len(numbers) <= 1
        seen |= numbers
        read += 1
    writing.join()
    assert f"n{ROUNDS - 1}" in seen
    assert len(seen) > 2


def test_links_lead_to_the_public_address(village: Settings) -> None:
    public = "https://kg.example/sse"
    with running(village.model_copy(update={"public_url": public})) as url:
        led = httpx.get(f"{url}/id/event/fair-2021", headers={"accept": "text/html"})
        assert led.headers["location"] == f"{public}/page/event/fair-2021"
        data = httpx.get(f"{url}/data/event/fair-2021")
        assert url not in data.text + data.headers["link"]
        assert data.headers["content-location"] == f"{public}/data/event/fair-2021.ttl"
        assert f"<{public}/data/event/fair-2021>" in data.text
        page = httpx.get(f"{url}/page/event/fair-2021", headers={"accept": "text/html"}).text
        assert url not in page
        assert f'href="{public}/static/site.css' in page
        assert httpx.get(f"{url}/ontology/Event").headers["location"].startswith(f"{public}/ontology")


def test_a_very_long_text_is_cut_on_the_page_and_whole_in_the_data(service: httpx.Client) -> None:
    words = "bread " * 20_000
    update = f'INSERT DATA {{ GRAPH <{GRAPH}c> {{ <{ENTITY}theme/bread> <{SKOS}scopeNote> "{words}"@en }} }}'
    assert service.post("/update", data={"update": update}, headers=TOKEN).status_code == 200
    assert words in service.get("/data/theme/bread.nt").text
    page = service.get("/page/theme/bread?lang=en", headers={"accept": "text/html"}).text
    assert len(page) < 60_000
    assert "120,000 characters" in page


DOORS = st.sampled_from(["id", "page", "data", "graph", "describe", "ontology", "profile", "shapes", "context.jsonld"])
TEXTS = st.one_of(
    st.sampled_from(
        ["event/fair-2021", "theme/bread", "village", "Event", "sse", "alt", "schema", "en", "in", "2", "1"]
    ),
    st.sampled_from(["text/turtle", "text/html", f"{ENTITY}theme/bread", f"{SKOS}prefLabel", "", "-1", "99999999999"]),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=8),
)
NAMES = st.sampled_from(["_profile", "_mediatype", "property", "direction", "page", "lang", "iri", "other"])
ACCEPTS = st.one_of(
    st.sampled_from(["*/*", "text/html", "text/turtle", "application/ld+json;q=0.1, */*;q=0", "text/*", "image/png"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)


@given(DOORS, TEXTS, st.dictionaries(NAMES, TEXTS, max_size=4), ACCEPTS, ACCEPTS, ACCEPTS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_gets_an_answer_that_is_described(
    service: httpx.Client, door: str, path: str, parameters: dict[str, str], accept: str, profile: str, language: str
) -> None:
    headers = {"accept": accept.strip(), "accept-profile": profile.strip(), "accept-language": language.strip()}
    where = f"/{door}/{quote(path)}"
    answer = service.get(where, params=parameters, headers=headers)
    assert answer.status_code in (200, 303, 307, 404, 406, 422), answer.text
    if answer.status_code == 422:
        assert answer.headers["content-type"].startswith(("application/problem+json", "text/html"))
