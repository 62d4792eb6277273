"""Where a reader gets from a page: what is linked is there, and what is not there is said in a page."""

from __future__ import annotations

import time
from urllib.parse import quote

import httpx
import pytest

from kg_service.network.measures import named
from kg_service.web.network import SIZES
from kg_service.web.rendering import LANGUAGES, Catalogue
from tests.web import html
from tests.web.conftest import Writing
from tests.web.test_content_language import read_in
from tests.web.test_pages import SEOUL


@pytest.mark.parametrize("path", ["/nowhere", "/sources/a/b/c", "/api/nothing"])
def test_an_address_that_there_is_not_is_a_page_for_people_and_a_problem_for_programs(
    service: httpx.Client, path: str
) -> None:
    answer = service.get(f"{path}?lang=es")
    assert answer.status_code == 404
    page = html.read(answer.text)
    assert not page.problems
    assert [each.text for each in page.all("h1")] == ["No encontrado"]
    told = service.get(path, headers={"accept": "application/json"})
    assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
    assert service.get(path, headers={"accept": "*/*"}).headers["content-type"] == "application/problem+json"


def test_a_door_that_is_only_sent_to_says_so_in_a_page(service: httpx.Client) -> None:
    answer = service.get("/appearance")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert html.read(answer.text).all("h1")


def test_the_page_of_the_api_has_the_address_that_one_would_try(service: httpx.Client) -> None:
    assert service.get("/api").headers["location"] == f"{str(service.base_url).rstrip('/')}/docs"


@pytest.mark.parametrize(
    "mark", ["utm_source=a%20b", "fbclid=1", "gclid=x", "msclkid=y", "mc_cid=z", "utm_medium=&utm_id=2"]
)
def test_who_comes_by_a_link_that_was_marked_on_its_way_gets_the_page(service: httpx.Client, mark: str) -> None:
    root = str(service.base_url).rstrip("/")
    for path in ("/", f"/page/{SEOUL}", "/network"):
        assert service.get(f"{path}?{mark}").headers["location"] == f"{root}{path}"
    answer = service.get(f"/search?q=a%26b&{mark}&lang=es")
    assert answer.headers["location"] == f"{root}/search?q=a%26b&lang=es"
    assert service.get(answer.headers["location"]).status_code == 200
    assert service.get(f"/?source=1&{mark}", follow_redirects=True).status_code == 422


def test_what_the_shapes_said_of_a_change_leads_to_the_rule(service: httpx.Client) -> None:
    root = str(service.base_url).rstrip("/")
    links = {each.attributes["href"] for each in read_in(service, "/history/1", lang="en").all("a")}
    rules = {each.partition("#")[2] for each in links if each.startswith(f"{root}/shapes") and "#" in each}
    assert len(rules) > 5
    ids = [each.attributes.get("id") for tag in ("div", "tr") for each in read_in(service, "/shapes").all(tag)]
    assert rules <= set(ids)


def test_a_change_of_many_statements_is_read_once(service: httpx.Client) -> None:
    path = f"/history/1?of={quote(f'https://w3id.org/sse-kg/id/{SEOUL}')}"

    def seconds() -> float:
        began = time.perf_counter()
        assert service.get(path).status_code == 200
        return time.perf_counter() - began

    service.get("/history")
    first = seconds()
    assert min(seconds() for _ in range(5)) < first / 3


@pytest.mark.parametrize(
    ("path", "is_editable"),
    [
        (f"/page/{SEOUL}", True),
        ("/page/theme/care", True),
        ("/page/certainty/stated", False),
        ("/page/policy-kind/strategy", False),
        (f"/describe?iri={quote('https://w3id.org/sse-kg/ontology#Event')}", False),
        ("/describe?iri=http://metadata.un.org/sdg/5", False),
    ],
)
def test_what_has_no_form_is_not_offered_to_be_edited(service: httpx.Client, path: str, is_editable: bool) -> None:
    links = [e.attributes["href"] for e in read_in(service, path, lang="en").all("a")]
    forms = [each for each in links if "/contribute/edit?" in each]
    assert bool(forms) == is_editable
    assert all(service.get(each).status_code == 200 for each in forms)


def test_the_certainties_of_evidence_are_named_in_the_language_of_the_page(writer: Writing) -> None:
    page = writer.page("/contribute/edit?iri=https://w3id.org/sse-kg/id/place/valley&lang=es")
    texts = {each.text.strip() for each in page.all("option")}
    assert {"declarado", "derivado"} <= texts
    assert not [each for each in texts if each.startswith("id:")]


def test_a_measure_as_csv_is_of_the_part_of_the_network_that_is_shown(service: httpx.Client) -> None:
    page = read_in(service, "/network", projection="actor-event", size="betweenness", to="2019", lang="en")
    (link,) = [e.attributes["href"] for e in page.all("a") if "/actor-event/betweenness?" in e.attributes["href"]]
    rows = service.get(link).text.strip().splitlines()[1:]
    shown = next(each.text for each in page.all("caption") if "nodes" in each.text)
    assert shown.split()[0] == str(len(rows))


@pytest.mark.parametrize("path", ["/communities", "/path"])
def test_networks_are_called_the_same_wherever_they_are_chosen(service: httpx.Client, path: str) -> None:
    names = {each.text.strip() for each in read_in(service, "/network", lang="fr").all("option")}
    assert "Acteurs d’une même alliance" in names
    assert "Acteurs d’une même alliance" in {
        each.text.strip() for each in read_in(service, path, lang="fr").all("option")
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_measure_is_explained_in_the_language_of_the_page(size: str) -> None:
    words = {language: Catalogue(language).words(f"network.note.{size}") for language in LANGUAGES}
    assert words["en"] == named(size).definition
    assert len(set(words.values())) == len(LANGUAGES)


def test_what_is_told_of_a_network_and_of_paths_is_in_the_language_of_the_page(service: httpx.Client) -> None:
    page = read_in(service, "/network", size="pagerank", to="2019", lang="fr")
    told = " ".join(each.text for each in page.all("p"))
    assert "Part du temps que passe sur un nœud" in told
    assert "None" not in told
    path = read_in(service, "/path", **{"from": "organisation/gsef", "to": "organisation/unrisd", "lang": "fr"})
    told = " ".join(each.text for each in path.all("li"))
    assert "énoncé" in told
    assert "stated" not in told


def test_what_is_found_is_not_sorted_by_classes_that_have_no_name(service: httpx.Client) -> None:
    page = read_in(service, "/search", q="solidarity", lang="en")
    kinds = [each.text for each in page.all("a") if "type=" in each.attributes["href"]]
    assert "theme" in {each.strip() for each in kinds}
    assert not [each for each in kinds if ":" in each]
