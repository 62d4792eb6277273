"""The first page: what there is, counted; what can be asked; what is missing; and where all of it is."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from kg_service import ontology, queries, resources
from kg_service.ingest import bulk
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.gaps import Gaps
from kg_service.lists import declared
from kg_service.rulebook import compact
from kg_service.settings import Settings
from kg_service.shacl import load_shapes
from kg_service.store.embedded import EmbeddedStore
from kg_service.web.home import ASKED, HomePage
from kg_service.web.rendering import LANGUAGES, Catalogue
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE, Writing


def counted(client: httpx.Client, language: str = "en") -> httpx.Response:
    """The page when everything on it is counted; the first readers may see it before."""
    until = time.monotonic() + 60
    while True:
        answer = client.get(f"/?lang={language}", headers=PEOPLE)
        if Catalogue(language).words("home.counting") not in answer.text:
            return answer
        assert time.monotonic() < until, "not counted within 60 s"


def words(page: html.Document, tag: str) -> list[str]:
    return [" ".join(each.text.split()) for each in page.all(tag)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_counts_what_there_is(service: httpx.Client, language: str) -> None:
    answer = counted(service, language)
    items = words(html.read(answer.text), "li")
    say = Catalogue(language).entries
    for name, listed in (("Recommendation", "recommendations"), ("Event", "events"), ("Alliance", "alliances")):
        whole = service.get(f"/api/{listed}", headers={"accept": "application/json"}).json()["meta"]["total"]
        told = next(each for each in items if each.startswith(f"{whole} {say[f'home.class.sse:{name}']} "))
        assert re.fullmatch(rf".* {say['home.class-changed']} \d{{4}}-\d\d-\d\d JSON CSV", told)
    assert answer.headers["KG-Generation"] in answer.text


def times(page: str) -> dict[str, str]:
    """When each class was changed last, by where it is listed."""
    found = {}
    for item in re.findall(r"<li>.*?</li>", page, re.DOTALL):
        told, listed = re.search(r'datetime="([^"]+)"', item), re.search(r'/api/(\w+)"', item)
        if told and listed:
            found[listed[1]] = told[1]
    return found


def test_each_class_tells_when_it_was_changed_last(writer: Writing) -> None:
    before = times(counted(writer.client).text)
    assert before.keys() >= {"events", "organisations", "alliances"}
    name = '<http://www.w3.org/2004/02/skos/core#altLabel> "Market"@en'
    made = writer.change(
        "/api/changes",
        content=f"<https://w3id.org/sse-kg/id/event/fair-2021> {name} .",
        headers={"content-type": "text/turtle"},
    ).json()
    undone = writer.change(f"/api/changes/{made['change']}/revert").json()["change"]
    until = time.monotonic() + 30
    while (after := times(counted(writer.client).text)) == before:
        assert time.monotonic() < until
    entry = writer.client.get(f"/api/changes/{undone}", headers={"accept": "application/json"}).json()
    assert after == before | {"events": entry["time"]}


def test_gaps_are_not_told_before_the_figures_that_they_are_part_of() -> None:
    page = HomePage(
        None,
        (1, Gaps({"es": 0}, without_addressee=60, contradictions=6, certainties={})),
        questions=queries.every(resources.folder("queries")),
        collections=[],
        addresses=Addresses("http://127.0.0.1"),
        ontology=ontology.read(resources.folder("ontology")),
        catalogue=Catalogue("en"),
    )
    assert page.gaps is None


def test_the_gaps_are_those_that_the_questions_list(service: httpx.Client) -> None:
    page = html.read(counted(service).text)
    items = words(page, "li")
    rows = service.get("/api/queries/quality/recommendations-without-addressee.json").json()["results"]["bindings"]
    silent = sum(int(row["recommendations"]["value"]) for row in rows)
    assert silent
    assert any(each.startswith(f"{silent} of 77 recommendations do not say") for each in items)
    found = service.get("/api/queries/quality/contradictions.json").json()["results"]["bindings"]
    assert f"{len({row['issue']['value'] for row in found})} contradictions in the texts are recorded." in items
    shares = [int(each[:-1]) for each in words(page, "td") if each.endswith("%")]
    assert len(shares) >= 3
    assert abs(sum(shares) - 100) <= len(shares)


def test_every_link_answers(service: httpx.Client) -> None:
    page = html.read(counted(service).text)
    root = str(service.base_url).rstrip("/")
    links = {each.attributes["href"].partition("#")[0] for each in page.all("a")} - {""}
    own = {each for each in links if each.startswith(root)}
    assert links - own == {"https://creativecommons.org/licenses/by/4.0/"}
    for path in ("/ontology?lang=en", "/shapes?lang=en", "/docs", "/catalog", "/dumps/", "/feed", "/query?lang=en"):
        assert root + path in own
    wrong = {}
    for each in own:
        answer = httpx.get(each, headers={"accept": "text/html, */*;q=0.5"}, follow_redirects=True, timeout=60)
        if answer.status_code >= 400 and not (each.endswith(("/dumps/", "/feed")) and "retry-after" in answer.headers):
            wrong[each] = answer.status_code
    assert not wrong


def test_the_questions_have_answers(service: httpx.Client) -> None:
    for name in ASKED:
        assert len(service.get(f"/api/queries/{name}.csv").text.splitlines()) > 1, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_are_asked_in_the_language_of_the_page(service: httpx.Client, language: str) -> None:
    summaries = {each.name: each.summary for each in queries.every(resources.folder("queries"))}
    links = {each.text.strip(): each.attributes["href"] for each in counted_page(service, language).all("a")}
    for name in ASKED:
        words = Catalogue(language).words(f"home.ask.{name}")
        assert (words == summaries[name]) == (language == "en")
        assert f"example={quote(name)}" in links[words]


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_questions_are_on_a_page(service: httpx.Client, language: str) -> None:
    page = counted_page(service, language)
    (link,) = (
        each.attributes["href"] for each in page.all("a") if "/query?" in (to := each.attributes["href"]) and "#" in to
    )
    assert len(html.read(service.get(link.partition("#")[0]).text).all("li")) > 150


def counted_page(service: httpx.Client, language: str) -> html.Document:
    return html.read(counted(service, language).text)


def test_every_list_has_a_name_in_every_language() -> None:
    lists = declared.collections(queries.every(resources.folder("queries")), resources.folder("ontology"))
    names = {f"home.class.{compact(iri)}" for each in lists for iri in each.classes}
    for language in LANGUAGES:
        assert {key for key in Catalogue(language).entries if key.startswith("home.class.")} == names


@pytest.mark.parametrize("accept", ["*/*", "text/turtle", "application/ld+json", "text/html;q=0.1, text/turtle"])
def test_machines_are_led_to_the_catalog(service: httpx.Client, accept: str) -> None:
    answer = service.get("/", headers={"accept": accept})
    assert (answer.status_code, answer.headers["vary"]) == (303, "Accept")
    assert answer.headers["location"] == f"{str(service.base_url).rstrip('/')}/catalog"
    followed = service.get("/", headers={"accept": accept}, follow_redirects=True)
    assert followed.status_code == 200
    assert "dcat" in followed.text


def test_what_is_asked_wrongly_is_told(service: httpx.Client) -> None:
    assert service.get("/", headers={"accept": "image/png"}).status_code == 406
    answer = service.get("/?colour=red")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/?lang=en", "/search?lang=en", "/search?q=solidarity&lang=en"])
def test_a_page_is_sent_once(service: httpx.Client, path: str) -> None:
    counted(service)
    until = time.monotonic() + 90
    while (first := service.get(path)).status_code == 503:  # the index is being made
        assert time.monotonic() < until, "no index within 90 s"
    assert first.status_code == 200
    assert "default-src 'self'" in first.headers["content-security-policy"]
    head = service.head(path)
    assert (head.status_code, head.headers["etag"], head.content) == (200, first.headers["etag"], b"")
    again = service.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = service.get(path.replace("lang=en", "lang=fr"), headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_a_graph_with_nothing_in_it_has_a_page(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "store") as store:
        bulk.load(store, [resources.folder("ontology")], load_shapes([]))
    with running(Settings(store=tmp_path / "store")) as url, httpx.Client(base_url=url, timeout=60) as client:
        page = html.read(counted(client).text)
        assert not page.problems
        assert "0 Events JSON CSV" in words(page, "li")
        assert not any(re.search("/describe", each.attributes["href"]) for each in page.all("a"))


def test_what_was_counted_is_known_again_after_a_restart(village: Settings, tmp_path: Path) -> None:
    root = tmp_path / "store"
    shutil.copytree(village.store, root)
    shutil.rmtree(root / "figures", ignore_errors=True)
    settings = village.model_copy(update={"store": root})
    counting = Catalogue("en").words("home.counting")
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        before = counted(client).text.replace(url, "")
    kept = {path.name for path in (root / "figures").iterdir()}
    assert kept == {"figures.json", "gaps.json", "lately.json"}
    with running(settings) as url:
        page = httpx.get(f"{url}/?lang=en", headers=PEOPLE, timeout=60).text
        assert counting not in page
        assert page.replace(url, "") == before
    for name in kept:  # of another publication, and no JSON
        (root / "figures" / name).write_text('{"published": "x", "generation": 9, "rows": {}}' if "g" in name else "{")
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert counted(client).text.replace(url, "") == before
