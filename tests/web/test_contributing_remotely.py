"""What is contributed by pages goes into the graph of another engine as well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.remote import RemoteStore
from tests.conftest import VILLAGE, remote_settings
from tests.serving import running
from tests.store.engines import oxigraph
from tests.web import html
from tests.web.conftest import TOKEN, Writing
from tests.web.test_contribute_pages import named, saved, values
from tests.web.test_home import counted, times

LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"


@pytest.fixture(scope="module")
def distant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writing]:
    """Somebody who has signed in to a service that writes an engine's graph."""
    with oxigraph(tmp_path_factory.mktemp("oxigraph")) as endpoint:
        quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
        RemoteStore(endpoint).apply(Delta(added=frozenset(quads)))
        settings = remote_settings(endpoint, tmp_path_factory.mktemp("own"), token=SecretStr(TOKEN))
        with running(settings) as url:
            person = Writing(url)
            with person.client:
                assert person.sign_in().status_code == 303
                yield person


def test_a_thing_is_made_shown_and_undone(distant: Writing) -> None:
    number = saved(distant, "/contribute/new?class=Theme", named("Far bread"))
    assert values(distant, "theme/far-bread", LABEL) == {"Far bread"}
    page = distant.page(f"/history/{number}")
    assert "Far bread" in page.all("main")[0].text
    mark = next(each.attributes["value"] for each in page.all("input") if each.attributes.get("name") == "mark")
    undone = distant.client.post(f"/history/{number}/revert", data={"mark": mark, "step": "make"})
    assert undone.status_code == 303
    assert not values(distant, "theme/far-bread", LABEL)
    # Only of themes was anything changed, and of them last when that was undone.
    last = distant.client.get("/api/changes?limit=1", headers={"accept": "application/json"}).json()["data"][0]
    assert times(counted(distant.client).text) == {"themes": last["time"]}


def test_a_thing_is_read_in_another_language_and_without_what_was_concluded(distant: Writing) -> None:
    page = distant.page("/page/alliance/oven?lang=en&clang=fr&conclusions=without")
    assert not page.problems
    assert (page.all("h1")[0].text, page.all("h1")[0].attributes["lang"]) == ("Le four commun", "fr")
    network = distant.page("/network?lang=en&clang=fr&node=organisation/weavers&find=x")
    assert not network.problems
    assert "fr" in {each.attributes.get("lang") for each in network.all("a")}


def test_a_table_is_tried_out(distant: Writing) -> None:
    page = distant.page("/tables")
    mark = next(each.attributes["value"] for each in page.all("input") if each.attributes.get("name") == "mark")
    data = {"mark": mark, "step": "try", "template": "events"}
    files = {"file": ("fairs.csv", b"name,start,end\nFar fair,2021,2022\nWrong fair,2022,2021\n")}
    answer = distant.client.post("/tables", data=data, files=files)
    assert answer.status_code == 200, html.read(answer.text).all("main")[0].text
    assert "Of 2 rows, 1 would go in and 1 would be left out." in answer.text


def test_where_the_graph_is_only_read_nobody_signs_in(tmp_path: Path) -> None:
    given = {"query_url": "http://127.0.0.1:9/query", "engine_folder": tmp_path, "store": tmp_path / "store"}
    with running(Settings.model_validate(given | {"token": TOKEN})) as url:
        person = Writing(url)
        assert person.sign_in().status_code == 403
        assert "KG_TOKEN" in person.client.get("/sign-in").text
