"""`clang`: what the graph says is read in a language of the reader's choice, whatever the language of the page."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tests.web import html
from tests.web.conftest import Writing
from tests.web.test_pages import SEOUL

IN_SPANISH, IN_FRENCH = "Diálogo de política del GSEF en Asia (Seúl)", "Dialogue politique du GSEF en Asie (Séoul)"
DOORS = (
    f"/page/{SEOUL}",
    "/search?q=Seoul+dialogue",
    "/recommendations?theme=care",
    "/network",
    "/communities",
    "/themes",
    "/timeline?from=2019",
    "/sources",
    "/map",
    "/",
)


def read_in(service: httpx.Client, path: str, **asked: str) -> html.Document:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    where = f"{path}{'&' if '?' in path else '?'}{query}"
    while "refresh" in (answer := service.get(where, follow_redirects=True)).headers:  # it is still being made
        time.sleep(0.2)
    assert answer.status_code == 200, answer.text
    page = html.read(answer.text)
    assert not page.problems
    return page


def named(page: html.Document, tag: str) -> dict[str, str | None]:
    """The texts of elements with the language that each says it is in."""
    return {each.text.strip(): each.attributes.get("lang") for each in page.all(tag)}


def test_a_thing_is_told_in_the_language_that_is_wanted_and_the_page_around_it_in_its_own(
    service: httpx.Client,
) -> None:
    page = read_in(service, f"/page/{SEOUL}", lang="en", clang="es")
    assert page.all("html")[0].attributes["lang"] == "en"
    assert named(page, "h1") == {IN_SPANISH: "es"}
    assert {"name", "start"} <= {each.text.strip().rstrip("0123456789 ") for each in page.all("dt")}
    values = [each.text.strip() for each in page.all("span")]
    assert values.index(IN_SPANISH) < values.index("GSEF policy dialogue in Asia (Seoul)")
    assert named(page, "span")["GSEF policy dialogue in Asia (Seoul)"] == "en"
    data = service.get(f"/id/{SEOUL}?lang=en&clang=es", headers={"accept": "text/turtle"}, follow_redirects=True)
    assert data.status_code == 200, "data is in all languages"


def test_what_has_no_words_in_the_wanted_language_is_told_in_that_of_the_page_then_in_english(
    service: httpx.Client,
) -> None:
    asked = """PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX sse: <https://w3id.org/sse-kg/ontology#>
    SELECT ?thing ?french ?english { ?thing a sse:Policy ; skos:prefLabel ?french, ?english
      FILTER(LANG(?french) = "fr" && LANG(?english) = "en")
      FILTER NOT EXISTS { ?thing skos:prefLabel ?other FILTER(LANG(?other) = "pt") } } ORDER BY ?thing LIMIT 1"""
    answer = service.get(
        "/sparql", params={"query": asked}, headers={"accept": "application/sparql-results+json"}
    ).json()
    row = {name: value["value"] for name, value in answer["results"]["bindings"][0].items()}
    path = f"/page/{row['thing'].removeprefix('https://w3id.org/sse-kg/id/')}"
    assert named(read_in(service, path, lang="fr", clang="pt"), "h1") == {row["french"]: "fr"}
    assert named(read_in(service, path, lang="en", clang="pt"), "h1") == {row["english"]: "en"}


def test_lists_searches_and_networks_name_things_in_it(service: httpx.Client) -> None:
    assert named(read_in(service, "/search?q=Seoul+dialogue", lang="en", clang="es"), "a")[IN_SPANISH] == "es"
    card = next(each for each in read_in(service, "/recommendations", lang="en", clang="fr").all("h2") if each.text)
    assert card.text
    in_network = named(read_in(service, "/network?projection=actor-event", lang="en", clang="es"), "a")
    assert "es" in in_network.values()
    themes = named(read_in(service, "/themes?view=az", lang="en", clang="pt"), "a")
    assert list(themes.values()).count("pt") > 20


def test_questions_that_are_put_together_fall_back_in_the_same_order(somebody: Writing) -> None:
    """Nothing here has a name in Portuguese: things, their values, and what fields offer have those of the page."""
    page = somebody.page("/build?class=Organisation&show=p-sse-locatedIn&lang=fr&clang=pt")
    assert not page.problems
    code = next(each.text for each in page.all("code") if "SELECT" in each.text)
    rows = somebody.client.get("/sparql", params={"query": code, "format": "json"}).json()["results"]["bindings"]
    (bakers,) = (row for row in rows if row["thing"]["value"].endswith("/bakers"))
    names = [(bakers[each]["value"], bakers[each]["xml:lang"]) for each in ("name", "locatedIn_name")]
    assert names == [("Coopérative des boulangères", "fr"), ("Vallée", "fr")]
    assert "Vallée — place/valley" in [each.attributes["value"] for each in page.all("option")]
    instead = somebody.page("/build?class=Organisation&p-sse-locatedIn=place/valley&lang=fr&clang=es")
    assert "Cooperativa de panaderas es" in {each.text.strip() for each in instead.all("td")}


@pytest.mark.parametrize("path", DOORS)
def test_links_and_forms_keep_it(service: httpx.Client, path: str) -> None:
    root = str(service.base_url).rstrip("/")
    page = read_in(service, path, lang="es", clang="fr")
    things = {e.attributes["href"] for e in page.all("a") if e.attributes["href"].startswith(f"{root}/page/")}
    away = [each for each in page.all("a") if each.attributes.get("class") == "apart"]
    assert [("clang=" in each.attributes["href"]) for each in away] == [False, True, True, True, True]
    assert all("clang=fr" in each for each in things - {each.attributes["href"] for each in away})
    kept = [e for e in page.all("a") if e.attributes["href"].startswith((f"{root}/search", f"{root}/history"))]
    kept = [each for each in kept if each.attributes.get("class") != "apart"]
    assert kept
    assert all("clang=fr" in each.attributes["href"] for each in kept)
    assert not [each for each in page.all("a") if f"{root}/api/" in each.attributes["href"] and "clang" in str(each)]
    asking = [each for each in page.all("form") if each.attributes["method"] == "get"]
    hidden = [e for e in page.all("input") if (e.attributes.get("name"), e.attributes.get("value")) == ("clang", "fr")]
    assert len(hidden) == len(asking)
    chosen = [e for e in page.all("a") if e.attributes.get("aria-current") == "true" and "clang=fr" in str(e)]
    assert "francés" in {each.text for each in chosen}


@pytest.mark.parametrize("path", DOORS)
def test_the_language_of_the_page_that_was_chosen_is_that_of_every_page_it_leads_to(
    service: httpx.Client, path: str
) -> None:
    root = str(service.base_url).rstrip("/")
    data = ("api", "catalog", "feed", "sparql", "docs", "id", "dumps", "patches", "")
    links = [each.attributes["href"] for each in read_in(service, path, lang="es").all("a")]
    ours = [each.removeprefix(root) for each in links if each.startswith(root)]
    pages = [each for each in ours if each.split("?")[0].split("/")[1].partition(".")[0] not in data]
    assert len(pages) > 20
    assert [each for each in pages if "lang=" not in each and not re.search(r"\.[a-z]+(\?|$)", each)] == []
    as_the_browser_says = read_in(service, path).all("a")
    assert f"{root}/" in {each.attributes["href"] for each in as_the_browser_says}


def test_what_leads_on_keeps_the_language_of_the_page(service: httpx.Client) -> None:
    answer = service.get(f"/id/{SEOUL}?lang=es")
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("?lang=es")


@pytest.mark.parametrize("path", DOORS)
def test_another_language_than_things_are_named_in_is_refused_by_its_name(service: httpx.Client, path: str) -> None:
    answer = service.get(f"{path}{'&' if '?' in path else '?'}clang=xx&lang=fr")
    assert answer.status_code == 422
    assert html.read(answer.text).all("html")[0].attributes["lang"] == "fr"
    assert "clang" in answer.text
    assert "en, es, fr, pt" in answer.text


def test_what_is_kept_of_one_is_not_sent_for_another(service: httpx.Client) -> None:
    tags = set()
    for _ in range(2):
        for asked, name in (
            ("clang=es", IN_SPANISH),
            ("clang=fr", IN_FRENCH),
            ("", "GSEF policy dialogue in Asia (Seoul)"),
        ):
            answer = service.get(f"/page/{SEOUL}?lang=en&{asked}")
            assert named(html.read(answer.text), "h1").popitem()[0] == name
            tags.add(answer.headers["etag"])
            other = service.get(f"/page/{SEOUL}?lang=en&clang=pt", headers={"if-none-match": answer.headers["etag"]})
            assert other.status_code == (304 if other.headers["etag"] == answer.headers["etag"] else 200)
    assert len(tags) == 3


def test_a_network_is_named_in_the_first_of_several_languages(service: httpx.Client) -> None:
    def labels(lang: str) -> set[str]:
        answer = service.get(f"/api/networks/actor-event?format=drawing&wait=30&lang={lang}")
        assert answer.status_code == 200
        nodes = answer.json()["nodes"]
        assert len(nodes["language"]) == len(nodes["label"])
        return set(nodes["language"])

    assert "es" in labels("pt,es")
    assert labels("en") <= {"en", "es", "fr", "pt", ""}
    assert service.get("/api/networks/alliances?lang=pt,xx").status_code == 422
