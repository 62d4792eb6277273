"""`/validate`: a text or file of RDF judged by the shapes, shown with its lines marked; nothing is stored."""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service import resources
from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.forms import Form, form_of
from kg_service.api.parameters import read
from kg_service.api.problems import client_left
from kg_service.api.validate import EXAMPLE, judged
from kg_service.errors import Busy, KgError, TooLarge, TooSlow
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import Format
from kg_service.settings import Settings
from kg_service.shacl.judges import Judgement
from kg_service.web.validation import FORMATS, Checked, guessed

METHODS = ["GET", "HEAD", "POST"]
_AUTOMATIC = "automatic"
_CHOICES = (_AUTOMATIC, *(each.name for each in FORMATS))
_WITH = ("graph", "nothing")
#: Results that are looked for.
_MOST_RESULTS = 1_000


async def shown(request: Request) -> Response:
    """The form, filled in with an example when `example` asks for it; after POST with the report."""
    settings: Settings = request.app.state.settings
    read(request, pages.LANGUAGES)
    if request.method != "POST":
        return _page(request, EXAMPLE, "", _AUTOMATIC, _scopes(settings)[0], None)
    # A form doubles its line ends and has fields of its own; what counts is the text.
    form = await form_of(request, 2 * settings.max_document_bytes + 2**16)
    text, file = _sent(form)
    if len(text.encode()) > settings.max_document_bytes:
        raise TooLarge(f"the text is larger than {settings.max_document_bytes} bytes; send it in parts")
    chosen, scope = form.one_of("format", _CHOICES), form.one_of("with", _scopes(settings))
    if not text.strip():
        return _page(request, text, file, chosen, scope, None, is_empty=True)
    how = guessed(text, file) if chosen == _AUTOMATIC else next(each for each in FORMATS if each.name == chosen)
    return await _checked(request, text, file, how, chosen, scope)


def _sent(form: Form) -> tuple[str, str]:
    """The text of the file if there is one, else that of the field; and the name of the file."""
    if (file := form.files.get("file")) is not None:
        return file.content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n"), file.name
    return form.get("text"), ""


def _scopes(settings: Settings) -> tuple[str, ...]:
    """What a text may be judged together with; the graph of another engine is not at hand."""
    return ("nothing",) if settings.query_url else _WITH


async def _checked(request: Request, text: str, file: str, how: Format, chosen: str, scope: str) -> Response:
    settings: Settings = request.app.state.settings
    language = pages.language_of(request)
    judgement = Judgement(
        format=how.name,
        base=settings.base,
        with_graph=scope == "graph",
        language="es" if language == "es" else "en",
        limit=_MOST_RESULTS,
    )
    report, problem = None, None
    try:
        done = await judged(request, judgement, text.encode())
        if done is None:
            return client_left()
        report = json.loads(done[1])
    except (Busy, TooSlow):
        raise
    except KgError as error:
        problem = error.problem()

    def checked() -> Checked:
        return Checked(
            text,
            how,
            report,
            problem=problem,
            base=settings.base,
            context=_context(),
            addresses=Addresses(public_url(request)),
            catalogue=pages.catalogue_of(request),
        )

    return _page(request, text, file, chosen, scope, await asyncio.to_thread(checked))


@lru_cache(1)
def _context() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((resources.folder("ontology") / "context.jsonld").read_bytes())["@context"]
    return read


def _page(
    request: Request,
    text: str,
    file: str,
    chosen: str,
    scope: str,
    checked: Checked | None,
    *,
    is_empty: bool = False,
) -> Response:
    settings: Settings = request.app.state.settings
    headers = {"Cache-Control": "no-store"} if request.method == "POST" else None
    return pages.page(
        request,
        "validate.html",
        headers=headers,
        text=text,
        file=file,
        chosen=chosen,
        choices=_CHOICES,
        scope=scope,
        scopes=_scopes(settings),
        checked=checked,
        is_empty=is_empty,
        most=settings.max_document_bytes // 2**20,
    )
