"""What is around a thing: its picture, its dates, its card; paths from it to others; and who belongs together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

from kg_service.ingest import bulk
from kg_service.rdf import ENTITY
from kg_service.settings import Settings
from kg_service.shacl import load_shapes
from kg_service.store.embedded import EmbeddedStore
from kg_service.web import ego
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE

GSEF = "https://w3id.org/sse-kg/id/organisation/gsef"


def ready(service: httpx.Client, path: str) -> html.Document:
    """The page when the network behind it is measured."""
    for _ in range(30):
        answer = service.get(path)
        if answer.status_code != 202:
            break
    assert answer.status_code == 200, answer.text
    page = html.read(answer.text)
    assert not page.problems
    return page


@pytest.mark.parametrize("path", ["/page/organisation/gsef", "/page/event/gsef-policy-dialogue-seoul-2019"])
def test_a_picture_shows_what_a_thing_is_tied_to_and_each_leads_there(service: httpx.Client, path: str) -> None:
    page = html.read(service.get(f"{path}?lang=en").text)
    assert not page.problems
    links = [each for each in page.all("a") if "svg" in each.parents]
    assert 4 <= len(links) <= 2 * ego.MOST
    ties = [each for each in page.all("path") if each.attributes.get("class") != "land"]  # which is of the map
    assert len(ties) == len(links)
    for each in links:
        assert each.text.strip()
        assert service.get(each.attributes["href"], follow_redirects=True).status_code == 200


def test_what_only_stands_between_is_passed_over(service: httpx.Client) -> None:
    page = html.read(service.get("/page/organisation/gsef?lang=en").text)
    links = {each.attributes["href"].partition("/page/")[2] for each in page.all("a") if "svg" in each.parents}
    assert links
    assert not {each for each in links if each.startswith(("party/", "participation/", "membership/"))}
    dated = [" ".join(each.text.split()) for each in page.all("li") if each.text.strip().startswith("20")]
    assert [each.split()[0] for each in dated] == sorted(each.split()[0] for each in dated)
    assert "2019-10 GSEF policy dialogue in Asia (Seoul)" in dated


def test_a_card_is_the_thing_in_short_for_the_frames_of_others(service: httpx.Client) -> None:
    answer = service.get("/page/organisation/gsef?embed=1&lang=es")
    assert "frame-ancestors *" in answer.headers["content-security-policy"]
    page = html.read(answer.text)
    assert not page.problems + [each.tag for each in (*page.all("header"), *page.all("footer"), *page.all("form"))]
    assert page.all("h1")[0].text == "Foro Global de la Economía Social"
    assert page.all("svg")
    assert "frame-ancestors 'self'" in service.get("/page/organisation/gsef").headers["content-security-policy"]
    assert service.get("/page/organisation/gsef?embed=yes").status_code == 422


def test_what_is_around_a_hub_is_cut_and_that_is_told(tmp_path: Path) -> None:
    data = tmp_path / "hub.ttl"
    lines = [f"<urn:t{n}> <urn:p{n % 3}> <https://w3id.org/sse-kg/id/organisation/hub> ." for n in range(3000)]
    lines += ["<https://w3id.org/sse-kg/id/organisation/hub> <urn:q> <javascript:alert(1)> ."]
    data.write_text("\n".join(lines))
    with EmbeddedStore(tmp_path / "store") as store:
        bulk.load(store, [data], load_shapes([]))
    with running(Settings(store=tmp_path / "store")) as url:
        page = html.read(httpx.get(f"{url}/page/organisation/hub?lang=en", headers=PEOPLE, timeout=60).text)
    assert not page.problems
    assert len(page.all("path")) == ego.MOST + 1
    assert any("more are told below" in each.text for each in page.all("p"))
    assert not [each for each in page.all("a") if each.attributes["href"].startswith("javascript")]


# ---- Paths and communities ----


def test_paths_are_those_of_the_measure_with_what_each_step_rests_on(service: httpx.Client) -> None:
    page = ready(service, "/path?from=organisation/gsef&to=organisation/unrisd&count=3&lang=en")
    asked = {"origin": GSEF, "destination": GSEF.replace("gsef", "unrisd"), "count": "3"}
    told = service.get("/api/networks/alliances/paths", params=asked).json()["data"]
    assert [each.text.split(" ")[-2] for each in page.all("h3")] == [str(len(each["steps"])) for each in told]
    links = {each.attributes["href"].partition("/page/")[2] for each in page.all("a") if "li" in each.parents}
    links = {each.removesuffix("?lang=en") for each in links}
    evidence = {e["iri"].partition("/id/")[2] for path in told for step in path["steps"] for e in step["evidence"]}
    assert evidence
    assert evidence <= links
    chosen = [each.attributes["value"] for each in page.all("option") if "selected" in each.attributes]
    assert chosen == ["alliances", "organisation/gsef", "organisation/unrisd"]


def test_who_is_not_in_the_network_is_told_so(service: httpx.Client) -> None:
    page = ready(service, "/path?from=organisation/nobody&to=organisation/gsef&lang=en")
    assert any("is not in this network" in each.text for each in page.all("p"))
    start = html.read(service.get("/page/organisation/gsef?lang=en").text)
    (link,) = (each.attributes["href"] for each in start.all("a") if each.text == "Paths from here")
    chosen = [each.text for each in ready(service, link).all("option") if "selected" in each.attributes]
    assert "Global Social Economy Forum" in chosen


def test_paths_leave_kinds_of_ties_out_and_pass_hubs_by(service: httpx.Client) -> None:
    ends = "from=organisation/gsef&to=organisation/unrisd&lang=en"
    page = ready(service, f"/path?{ends}")
    kinds = {each.attributes["value"]: each for each in page.all("input") if each.attributes.get("name") == "without"}
    asked = {"origin": f"{ENTITY}organisation/gsef", "destination": f"{ENTITY}organisation/unrisd", "count": "5"}
    first = service.get("/api/networks/alliances/paths", params=asked).json()["data"][0]
    used = {each["kind"].removeprefix(ENTITY) for step in first["steps"] for each in step["evidence"]}
    assert used <= set(kinds)
    without = "&".join(f"without={each}" for each in used)
    page = ready(service, f"/path?{ends}&{without}")
    assert not page.problems
    checked = {e.attributes["value"] for e in page.all("input") if "checked" in e.attributes}
    assert checked == used
    left = [("kinds", ENTITY + each) for each in kinds if each not in used]
    told = service.get("/api/networks/alliances/paths", params=[*asked.items(), *left])
    shown = [each for each in page.all("h3") if "→" in each.text]
    assert len(shown) == (len(told.json()["data"]) if told.status_code == 200 else 0)
    page = ready(service, f"/path?{ends}&hubs=5")
    few = service.get("/api/networks/alliances/paths", params=asked | {"hubs": "5"}).json()
    assert few["values"]["passed_by"] > 0
    assert f"{few['values']['passed_by']} nodes with more neighbours were passed by." in page.all("main")[0].text
    degrees = {e["iri"]: e["value"] for e in service.get("/api/networks/alliances/degree").json()["data"]}
    assert all(degrees[node] <= 5 for path in few["data"] for node in path["nodes"][1:-1])
    every = "&".join(f"without={each}" for each in kinds)
    assert service.get(f"/path?{ends}&{every}").status_code == 422


def test_communities_tell_what_their_members_work_on(service: httpx.Client) -> None:
    page = ready(service, "/communities?lang=en")
    told = service.get("/api/networks/alliances/communities?resolution=1").json()["data"]
    of = {row["iri"]: row["value"] for row in told}
    ties = service.get("/api/queries/network/actor-theme.json").json()["results"]["bindings"]
    pairs = {(row["source"]["value"], row["target"]["value"]) for row in ties}
    counts = Counter((of[actor], theme) for actor, theme in pairs if actor in of)
    ((_, theme), most) = max(counts.items(), key=lambda each: each[1])
    name = service.get(f"/page/theme/{theme.rpartition('/')[2]}?lang=en").text.partition("<h1")[2].partition(">")[2]
    said = f"{name.partition('<')[0]} {most}"
    assert any(said in " ".join(each.text.split()) for each in page.all("td")), said


def test_communities_hold_everyone_once(service: httpx.Client) -> None:
    page = ready(service, "/communities?lang=en")
    told = service.get("/api/networks/alliances/communities?resolution=1").json()
    sizes = [int(each.text) for each in page.all("td") if each.attributes.get("class") == "number"]
    assert sizes == told["values"]["sizes"]
    assert sum(sizes) == told["meta"]["nodes"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/path?network=x", 404),
        ("/path?from=organisation/gsef&to=organisation/gsef", 422),
        ("/path?count=99", 422),
        ("/path?from=%3Cx%3E", 422),
        ("/path?x=1", 422),
        ("/communities?resolution=x", 422),
        ("/communities?network=%3Cscript%3E", 404),
    ],
)
def test_what_cannot_be_asked_is_told(service: httpx.Client, path: str, status: int) -> None:
    answer = service.get(path)
    assert answer.status_code == status
    assert not html.read(answer.text).all("script")
