"""The page of a claim tells where the claim is from, and since when it is in the graph."""

from __future__ import annotations

import httpx
import pytest

from kg_service.settings import Settings
from kg_service.web.rendering import LANGUAGES
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE

HEADINGS = {"en": "Where it is from", "es": "De dónde viene", "fr": "D’où cela vient"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_claim_tells_its_document_and_the_change_that_brought_it(village: Settings, language: str) -> None:
    with running(village) as url, httpx.Client(base_url=url, headers=PEOPLE, timeout=60) as client:
        page = html.read(client.get(f"/page/claim/oven?lang={language}").text)
        assert not page.problems
        assert HEADINGS[language] in [each.text for each in page.all("h2")]
        links = {each.attributes["href"] for each in page.all("a")}
        assert f"{url}/sources/chronicle?lang={language}" in links
        assert f"{url}/history/1?lang={language}" in links
        assert f"{url}/page/document/chronicle?lang={language}" in links
        assert client.get(f"/history/1?lang={language}").status_code == 200
        other = html.read(client.get(f"/page/alliance/oven?lang={language}").text)
        assert HEADINGS[language] not in [each.text for each in other.all("h2")]
