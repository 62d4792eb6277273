"""Every door's answer is sent with what keeps browsers from doing more with it than showing it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from kg_service.app import create_app
from kg_service.settings import Settings
from kg_service.web.rendering import FOLDER, href
from tests.api.test_tokens import routes

#: Pages that others may frame: by their parameter, and the preview of reconciliation, which has no other use.
FRAMED = "frame-ancestors *"


@pytest.fixture(scope="module")
def answers(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, httpx.Response]:
    """What each path answers a browser, whatever that is."""
    paths = {
        path for method, path in routes(create_app(Settings(store=tmp_path_factory.mktemp("s")))) if method == "GET"
    }
    paths |= {
        "/sparql?query=ASK{}",
        "/static/site.css",
        "/no-such-page",
        "/page/person/ana",
        "/?embed=1",
        "/sdg?embed=1",
    }
    paths |= {"/sparql?query=nonsense", "/timeline?embed=1", "/reconcile?queries=x", "/search?q=%3Cscript%3E"}
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    return {path: client.get(path, headers=browser) for path in sorted(paths)}


def test_every_answer_is_what_it_says_it_is(answers: dict[str, httpx.Response]) -> None:
    assert len(answers) > 80
    for path, answer in answers.items():
        assert answer.status_code < 500 or answer.status_code == 503, (path, answer.text[:200])
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], path
        assert not answer.content or "content-type" in answer.headers, path


def test_every_page_says_what_may_run_in_it(answers: dict[str, httpx.Response]) -> None:
    shown = {
        path: each for path, each in answers.items() if each.headers.get("content-type", "").startswith("text/html")
    }
    assert len(shown) > 30
    for path, answer in shown.items():
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(("default-src 'self'; ", "default-src 'none'; ")), path
        scripts = re.findall(r"script-src ([^;]*)", policy)
        assert not any(word in script for script in scripts for word in ("unsafe", "http", "*", "data:")), path
        assert ("frame-ancestors 'self'" in policy) or FRAMED in policy, path
        assert FRAMED not in policy or "embed=1" in path or "preview" in path or "/reconcile" in path, path
        assert "referrer-policy" in answer.headers or FRAMED in policy, path


def test_no_page_has_a_script_in_it(answers: dict[str, httpx.Response]) -> None:
    for path, answer in answers.items():
        if answer.headers.get("content-type", "").startswith("text/html") and path != "/docs":
            inner = re.findall(r"<script(?![^>]*\b(?:src|type=\"application/(?:ld\+)?json\"))[^>]*>", answer.text)
            assert not inner, (path, inner)
            assert not re.search(r"<[^>]+\son[a-z]+\s*=", answer.text), path


def test_no_template_shows_markup_that_somebody_sent() -> None:
    for path in sorted(Path(FOLDER, "templates").glob("*.html")):
        text = path.read_text("utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup\(", text), path.name


@pytest.mark.parametrize(
    "iri",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "blob:x",
        "file:///etc/passwd",
        "//evil.example",
        "http://[",
    ],
)
def test_what_would_run_is_no_link(iri: str) -> None:
    assert href(iri) is None
