"""`/network`: the choices, the picture and the table of a network, and every wrong choice told."""

from __future__ import annotations

import re

import httpx
import networkx as nx
import pytest

from kg_service.web.network import COLOURED, SIZES
from kg_service.web.rendering import LANGUAGES
from tests.web import html
from tests.web.conftest import CROWDED, PEOPLE

SSE_ORGANISATIONS = "https://w3id.org/sse-kg/id/actor-group/sse-organisations"
GSEF = "https://w3id.org/sse-kg/id/organisation/gsef"


def asked(service: httpx.Client, query: str) -> httpx.Response:
    """The page once the network is measured."""
    while (answer := service.get(f"/network?{query}", headers=PEOPLE)).status_code == 202:
        assert answer.headers["refresh"]
    return answer


def column(page: html.Document, heading: str) -> list[str]:
    """The texts of a column of the table of nodes."""
    heads = [each.text.strip() for each in page.all("th") if each.attributes.get("scope") == "col"]
    cells = [each.text.strip() for each in page.elements if each.tag in ("td", "th") and "tbody" in each.parents]
    return cells[heads.index(heading) :: len(heads)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_of_the_network_what_the_api_says(service: httpx.Client, language: str) -> None:
    network = service.get("/api/networks/alliances?wait=60", headers={"accept": "*/*"}).json()
    answer = asked(service, f"lang={language}")
    page = html.read(answer.text)
    assert not page.problems
    assert str(len(network["nodes"])) in page.all("caption")[0].text
    assert len([each for each in page.all("circle") if "r" in each.attributes]) >= len(network["nodes"])
    assert len(page.all("line")) == len(network["edges"])


def test_the_table_is_sorted_by_the_measure(service: httpx.Client) -> None:
    answer = asked(service, "size=betweenness&lang=en")
    values = [float(each) for each in column(html.read(answer.text), "Betweenness")]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0
    names = column(html.read(asked(service, "size=betweenness&sort=label&lang=en").text), "Name")
    assert names == sorted(names, key=str.casefold)


@pytest.mark.parametrize("color", COLOURED)
@pytest.mark.parametrize("size", SIZES[:2])
def test_every_choice_has_a_page(service: httpx.Client, color: str, size: str) -> None:
    page = html.read(asked(service, f"projection=actor-event&color={color}&size={size}&lang=fr").text)
    assert not page.problems
    chosen = {each.text.strip() for each in page.all("option") if "selected" in each.attributes}
    assert len(chosen) >= 3


def test_every_network_has_a_page(service: httpx.Client) -> None:
    for each in service.get("/api/networks", headers={"accept": "*/*"}).json()["data"]:
        page = html.read(asked(service, f"projection={each['name']}&lang=es").text)
        assert not page.problems, each["name"]


def test_a_path_between_two_actors_leads_to_its_evidence(service: httpx.Client) -> None:
    page = html.read(
        asked(service, f"origin={SSE_ORGANISATIONS}&destination=https://w3id.org/sse-kg/id/actor-group/cities").text
    )
    assert not page.problems
    told = html.read(
        asked(
            service,
            f"origin={SSE_ORGANISATIONS}&destination=https://w3id.org/sse-kg/id/actor-group/producer-organisations",
        ).text
    )
    assert any("/page/alliance/" in each.attributes["href"] for each in told.all("a"))


def test_two_windows_are_compared(service: httpx.Client) -> None:
    answer = asked(service, "projection=actor-event&from=2019&to=2019&against_from=2020&against_to=2022&lang=en")
    page = html.read(answer.text)
    assert not page.problems
    assert len(page.all("figcaption")) == 2
    told = service.get(
        "/api/networks/actor-event/comparison?from=2019&to=2019&against_from=2020&against_to=2022&wait=60",
        headers={"accept": "*/*"},
    ).json()["values"]
    cells = [each.text.strip() for each in page.elements if each.tag in ("td", "th") and "tbody" in each.parents]
    ties = cells.index("Ties") + 1
    assert cells[ties : ties + 4] == [
        str(told[name]) for name in ("edges_before", "edges_after", "ties_came", "ties_went")
    ]


def test_an_empty_network_says_so(service: httpx.Client) -> None:
    answer = asked(service, "from=1801&to=1802&lang=en")
    assert "No tie fits this choice." in answer.text
    assert not html.read(answer.text).problems


def test_what_a_page_exports_is_the_network_that_it_shows(service: httpx.Client) -> None:
    page = html.read(asked(service, "projection=actor-event&from=2019&to=2019&lang=en").text)
    (address,) = (each.attributes["href"] for each in page.all("a") if each.text == "GraphML")
    graph = nx.parse_graphml(httpx.get(address, timeout=60).text)
    assert f"{len(graph)} nodes and {graph.number_of_edges()} ties" in page.all("caption")[0].text


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("projection=nothing", "nothing"),
        ("color=red", "red"),
        ("size=weight", "weight"),
        ("from=soon", "soon"),
        ("from=2020&to=2019", "2019"),
        ("territory=atlantis", "atlantis"),
        ("against_from=later", "later"),
        ("origin=https://example.org/nobody&destination=" + GSEF, "nobody"),
        ("colour=red", "colour"),
        ("page=0", "page"),
    ],
)
def test_a_wrong_choice_is_told(service: httpx.Client, query: str, named: str) -> None:
    answer = asked(service, query)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert named in re.sub("<[^>]+>", "", answer.text)


def test_programs_are_led_to_the_data(service: httpx.Client) -> None:
    answer = service.get("/network?projection=places&from=2019&size=core", headers={"accept": "application/json"})
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("/api/networks/places?from=2019")


def test_a_page_is_sent_once(service: httpx.Client) -> None:
    first = asked(service, "lang=en")
    again = service.get("/network?lang=en", headers=PEOPLE | {"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = service.head("/network?lang=en", headers=PEOPLE)
    assert (head.status_code, head.content) == (200, b"")


def boxes(page: html.Document, name: str) -> dict[str, bool]:
    """The values of a filter, and whether each is chosen."""
    found = [each.attributes for each in page.all("input") if each.attributes.get("name") == name]
    return {str(each["value"]): "checked" in each for each in found}


def test_several_values_of_a_filter_are_any_of_them(service: httpx.Client) -> None:
    one, other = "territory=mexico", "territory=africa"
    counts = {}
    for query in (one, other, f"{one}&{other}"):
        answer = asked(service, f"projection=actor-event&{query}&lang=en")
        network = service.get(f"/api/networks/actor-event?{query}&wait=60", headers={"accept": "*/*"}).json()
        page = html.read(answer.text)
        assert not page.problems
        assert str(len(network["edges"])) in page.all("caption")[0].text
        assert {value for value, is_chosen in boxes(page, "territory").items() if is_chosen} == {
            each.partition("=")[2] for each in query.split("&")
        }
        counts[query] = len(network["edges"])
    assert max(counts[one], counts[other]) < counts[f"{one}&{other}"] <= counts[one] + counts[other]


def test_a_network_can_stand_in_a_frame_with_its_source(service: httpx.Client) -> None:
    query = "projection=actor-event&territory=mexico&from=2019&to=2022&lang=es"
    whole, framed = asked(service, query), asked(service, f"{query}&embed=1")
    assert "frame-ancestors 'self'" in whole.headers["content-security-policy"]
    assert "frame-ancestors *" in framed.headers["content-security-policy"]
    page = html.read(framed.text)
    assert not page.problems
    assert not page.all("header")
    assert not page.all("form")
    assert page.all("figcaption")
    links = {each.attributes.get("href", "") for each in page.all("a")}
    assert any(each.endswith(f"/network?{query}") for each in links)
    assert "2019 – 2022" in page.all("p")[0].text  # what the picture is of


def test_ties_that_were_concluded_can_be_left_out(service: httpx.Client) -> None:
    said = service.get("/api/networks/actor-event?certainty=stated,ambiguous&wait=60", headers={"accept": "*/*"}).json()
    every = service.get("/api/networks/actor-event?wait=60", headers={"accept": "*/*"}).json()
    page = html.read(asked(service, "projection=actor-event&conclusions=without&lang=en").text)
    assert not page.problems
    assert len(said["edges"]) < len(every["edges"])
    assert f"{len(said['edges'])} ties" in page.all("caption")[0].text
    assert not any(boxes(page, "certainty").values())  # so that the switch alone decides
    assert "only as the documents say it" in "; ".join(each.text for each in page.all("dd"))


def test_what_is_chosen_is_printed(service: httpx.Client) -> None:
    page = html.read(asked(service, "projection=actor-event&territory=mexico&from=2019&to=2022&lang=en").text)
    told = "; ".join(each.text for each in page.all("dd"))
    for each in ("Actors and events", "2019 – 2022", "Mexico"):
        assert each in told


def drawn(page: html.Document) -> int:
    """How many ties the picture that needs no script has."""
    return len(page.all("line"))


def link(page: html.Document, words: str) -> str:
    return next(each.attributes["href"].partition("?")[2] for each in page.all("a") if words in each.text)


def test_of_too_many_ties_nothing_is_drawn_until_something_is_chosen(crowd: httpx.Client) -> None:
    page = html.read(asked(crowd, "lang=en&color=sector").text)
    assert not page.problems
    assert drawn(page) == 0
    assert not [each for each in page.elements if each.attributes.get("data-island") == "network"]
    assert any(f"This network has {CROWDED:,} ties" in each.text for each in page.all("p"))
    assert len(column(page, "Name")) == 50  # the table stands
    for words, draw in ((f"strongest 15,000 of {CROWDED:,}", "strongest"), (f"all {CROWDED:,} ties", "all")):
        query = link(page, words)
        assert {f"draw={draw}", "color=sector", "lang=en"} <= set(query.split("&"))
        assert drawn(html.read(asked(crowd, query).text)) > 100
    # Narrowed down it is drawn at once.
    assert drawn(html.read(asked(crowd, "from=2019&to=2019&lang=en").text)) == 1
    framed = html.read(asked(crowd, "embed=1&lang=en").text)
    assert (framed.problems, drawn(framed), framed.all("form")) == ([], 0, [])


def test_one_begins_with_a_node_and_walks_on_without_a_script(crowd: httpx.Client, service: httpx.Client) -> None:
    page = html.read(asked(crowd, "find=nandu&lang=es&clang=es").text)
    assert not page.problems
    (hits,) = (each for each in page.all("ul") if each.attributes.get("class") == "found")
    assert hits.text.split() == ["Ñandú", "número", "0", "175", "vínculos", "Ñandú", "número", "1", "175", "vínculos"]
    around = html.read(asked(crowd, link(page, "Ñandú número 1")).text)
    assert not around.problems
    assert drawn(around) > 100
    assert "Ñandú número 1" in {each.text for each in around.all("strong")}
    nobody = html.read(asked(crowd, "find=%C2%A1nadie!&lang=es").text)
    assert "Ningún nodo de esta red se llama así." in {each.text for each in nobody.all("p")}

    def nodes(query: str) -> set[str]:
        found = html.read(asked(service, f"projection=actor-event&lang=en&{query}").text)
        assert not found.problems
        return set(column(found, "Name"))

    tied = service.get("/api/networks/actor-event?wait=60", headers={"accept": "*/*"}).json()["edges"]
    near = (
        {GSEF} | {e["target"] for e in tied if e["source"] == GSEF} | {e["source"] for e in tied if e["target"] == GSEF}
    )
    assert len(nodes("node=organisation/gsef")) == min(len(near), 50)
    assert nodes("node=organisation/gsef") < nodes("node=organisation/gsef&steps=2")
    gone = asked(service, "node=organisation/nobody&lang=en").text
    assert "https://w3id.org/sse-kg/id/organisation/nobody is not in this network" in gone


@pytest.mark.parametrize("query", ["draw=some", "steps=0", "steps=7", "node=a%20b"])
def test_a_way_that_is_none_is_refused(crowd: httpx.Client, query: str) -> None:
    answer = asked(crowd, query)
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text
