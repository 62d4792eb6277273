"""What the tests of the pages share: the project's own data behind a running service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes, load_shapes
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running
from tests.web import html

PEOPLE = {"accept": "text/html"}


@pytest.fixture(scope="package")
def service(project: Settings) -> Iterator[httpx.Client]:
    """A client of a running service over the project's own data."""
    with running(project) as url, httpx.Client(base_url=url, timeout=60, headers=PEOPLE) as client:
        yield client


#: Enough in one alliance for more ties than are drawn at once, and two in another one.
_CROWD = """@prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> .
@prefix geo: <http://www.w3.org/2003/01/geo/wgs84_pos#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<https://w3id.org/sse-kg/id/alliance/all> a sse:Alliance .
<https://w3id.org/sse-kg/id/organisation/o0> geo:lat 19.43 ; geo:long -99.13 .
<https://w3id.org/sse-kg/id/alliance/two> a sse:Alliance ; schema:startDate "2019"^^xsd:gYear .
"""
_PARTY = """<{id}alliance/{alliance}> sse:party <{id}party/{alliance}-{n}> .
<{id}party/{alliance}-{n}> sse:partyActor <{id}organisation/o{n}> .
<{id}organisation/o{n}> a sse:Actor ; skos:prefLabel "{name} {n}"@en , "{name} número {n}"@es .
"""
CROWDED = 176 * 175 // 2


@pytest.fixture(scope="package")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service over a network of CROWDED ties; one of them is of 2019, between Ñandú 0 and Ñandú 1.

    The first of them is in Mexico City.
    """
    folder = tmp_path_factory.mktemp("crowd")
    about = {"id": "https://w3id.org/sse-kg/id/"}
    parties = [("all", n) for n in range(176)] + [("two", 0), ("two", 1)]
    text = (_PARTY.format(alliance=a, n=n, name="Ñandú" if n < 2 else "Actor", **about) for a, n in parties)
    (folder / "crowd.ttl").write_text(_CROWD + "".join(text), "utf-8")
    with EmbeddedStore(folder / "store") as store:
        bulk.load(store, [folder / "crowd.ttl"], load_shapes([]))
    with running(Settings(store=folder / "store")) as url, httpx.Client(base_url=url, timeout=60, headers=PEOPLE) as to:
        yield to


TOKEN = "a-secret-that-is-nowhere-shown"


def _with_token(request: httpx.Request) -> httpx.Request:
    request.headers["authorization"] = f"Bearer {TOKEN}"
    return request


class Writing:
    """A person with a browser, as it were: cookies are kept, and forms are sent with the origin of the service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=60, headers=PEOPLE | {"origin": url})

    def sign_in(self, author: str = "Ana Ñ", token: str = TOKEN) -> httpx.Response:
        return self.client.post("/sign-in", data={"token": token, "author": author})

    def change(self, path: str, **more: Any) -> httpx.Response:
        """What a program sends, with the token."""
        answer = httpx.post(f"{self.url}{path}", **more, auth=_with_token, timeout=60)
        assert answer.status_code in (200, 201), answer.text
        return answer

    def page(self, path: str) -> html.Document:
        answer = self.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return html.read(answer.text)

    def mark(self, path: str = "/history/1") -> str:
        """The mark that the forms of a page carry."""
        return next(e.attributes["value"] for e in self.page(path).all("input") if e.attributes.get("name") == "mark")

    def send(self, path: str, data: dict[str, Any], **more: Any) -> httpx.Response:
        return self.client.post(path, data={"mark": self.mark()} | data, **more)


@pytest.fixture(scope="package")
def writable(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[str]:
    """The address of a service over the village that may be written to; tests leave no traces that others mind."""
    root = tmp_path_factory.mktemp("writable") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
    sources = root.parent / "data" / "sources"
    sources.mkdir(parents=True)
    (sources / "chronicle.txt").write_text("The bakers and council share one oven. All eat bread.", "utf-8")
    with running(Settings(store=root, data=sources.parent, token=SecretStr(TOKEN))) as url:
        yield url


@pytest.fixture
def somebody(writable: str) -> Iterator[Writing]:
    """Somebody who has not signed in."""
    person = Writing(writable)
    with person.client:
        yield person


@pytest.fixture
def writer(somebody: Writing) -> Writing:
    """Somebody who has."""
    assert somebody.sign_in().status_code == 303
    return somebody
