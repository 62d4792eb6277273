"""HTML for people: pages in their language, errors as pages, and the static files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from kg_service.api import problems
from kg_service.api.addresses import public_url
from kg_service.api.finished import Document, Finished, sent
from kg_service.api.parameters import Parameter
from kg_service.errors import Deleted, KgError
from kg_service.linked_data.documents import etag
from kg_service.ontology import TONGUES
from kg_service.rdf import Format
from kg_service.sparql.protocol import negotiate
from kg_service.web import islands, keeping
from kg_service.web.rendering import CONTENT, LANGUAGE, STATIC, Catalogue, Pages
from kg_service.web.rendering import LANGUAGES as WORDED

Door = Callable[[Request], Awaitable[Response]]
#: Where a page that answers a request can be asked for: its path, and its query if it has one.
Place = Callable[[Request], str]
#: In which language a page is, and in which one the names, descriptions and quotations of the graph come first.
LANGUAGES = (
    Parameter(name=LANGUAGE, description="The language of the page.", allowed=WORDED),
    Parameter(
        name=CONTENT,
        description="The language in which names, descriptions and quotations are shown where there are some in it; "
        "else in that of the page, else in English, else in any.",
        allowed=TONGUES,
    ),
)
#: For pages that others may show within theirs.
EMBED = Parameter(name="embed", description="1: without header and footer, for a frame.", allowed=("0", "1"))
#: The cookie with what a reader chose instead of what the browser says, and what that can be.
SCHEME, SCHEMES = "kg-scheme", ("light", "dark")
_HTML = Format("html", ("text/html", "application/xhtml+xml"), ("html",))
_PROBLEM = Format("problem", (problems.MEDIA_TYPE, "application/json"), ("json",))
_TAGS = tuple(Format(language, (f"{language}/-",), ()) for language in WORDED)
#: How a style sheet says what is for the dark; where a reader has chosen it is said otherwise.
_IF_DARK = re.compile(rb"@media\s*\(prefers-color-scheme:\s*dark\)")
_EITHER = re.compile(rb"color-scheme:\s*light dark")
_DARK = {"dark": b"@media all", "light": b"@media not all"}
#: Parameters that nobody asks a page for.
_MARK = re.compile(r"utm_\w+|(?:fb|g|d|ms|tw|ig|y)cl(?:id|kid)|mc_[ce]id")
#: Static files that are much smaller packed.
_TEXTS = (".js", ".css", ".svg", ".json")
#: What every page is sent with: nothing is loaded from elsewhere, and no script runs that is not ours.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; "
    "frame-ancestors 'self'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
#: The same for a page that others may frame.
_EMBEDDED = {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("frame-ancestors 'self'", "frame-ancestors *")
}


def install(app: FastAPI) -> None:
    """Adds the static files and makes the templates ready; what no door takes is a page for those who prefer HTML."""
    app.state.pages = Pages()
    app.mount("/static", _Static(directory=STATIC), name="static")

    @app.exception_handler(HTTPException)
    async def _no_door(request: Request, error: HTTPException) -> Response:
        if not prefers_html(request):
            return problems.refused(request, error)
        status = error.status_code
        what = {"status": status, "key": _key(status), "detail": problems.no_door(request, error), "end": {}}
        return page(request, "error.html", headers=dict(error.headers or {}), problem=what, status=status)


class _Static(StaticFiles):
    """Files whose address changes with them: who has one never asks again. Texts are sent packed."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._texts: dict[tuple[str, str], Document] = {}

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_named_by_content = path.startswith(f"{islands.FOLDER}/assets/") or b"v=" in scope.get("query_string", b"")
        if response.status_code == 200 and is_named_by_content:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if isinstance(response, FileResponse) and Path(path).suffix in _TEXTS:
            return await asyncio.to_thread(self._text, path, response, Request(scope))
        return response

    def _text(self, path: str, file: FileResponse, request: Request) -> Response:
        """The file, packed for those who can unpack it; packed once. A style sheet may be asked for as light or dark
        alone."""
        scheme = request.query_params.get("scheme", "") if path.endswith(".css") else ""
        scheme = scheme if scheme in SCHEMES else ""
        headers = {name: value for name, value in file.headers.items() if name not in ("content-length", "etag")}
        headers["ETag"] = file.headers["etag"]
        if scheme:
            headers["ETag"] = f'{headers["ETag"][:-1]}-{scheme}"'
        kept = self._texts.get((path, scheme))
        if kept is None or kept.headers != headers:
            body = _in_scheme(Path(file.path).read_bytes(), scheme)
            kept = self._texts[path, scheme] = Document(body, headers, str(file.media_type), level=9)
        return sent(request, kept)


def _in_scheme(sheet: bytes, scheme: str) -> bytes:
    """A style sheet for who has chosen light or dark; as it is for others."""
    if not scheme:
        return sheet
    return _EITHER.sub(f"color-scheme: {scheme}".encode(), _IF_DARK.sub(_DARK[scheme], sheet))


def scheme_of(request: Request) -> str:
    """What the reader has chosen, light or dark; nothing for who sees pages as the browser says."""
    wanted = request.cookies.get(SCHEME, "")
    return wanted if wanted in SCHEMES else ""


def variant_of(request: Request) -> tuple[str, str]:
    """What a page depends on beside its address: the reader's language, and light or dark."""
    return language_of(request), scheme_of(request)


def language_of(request: Request) -> str:
    """The language of the page: that of `lang`, else the one that Accept-Language likes best, else English."""
    if (wanted := request.query_params.get(LANGUAGE)) in WORDED:
        return str(wanted)
    # A language range is negotiated as a media range is: es-MX as es/-, * as */*.
    ranges = request.headers.get("accept-language", "").split(",")
    as_media = ",".join(_as_media(each) for each in ranges if each.strip())
    best = negotiate(as_media, _TAGS) if as_media else None
    return best.name if best else WORDED[0]


def content_of(request: Request) -> str:
    """The language that `clang` names; nothing for who reads what the graph says in that of the page."""
    wanted = request.query_params.get(CONTENT, "")
    return wanted if wanted in TONGUES else ""


def chosen(request: Request) -> dict[str, str]:
    """The languages that the address names, by parameter: what leads on to other pages hands them on."""
    wanted = {LANGUAGE: request.query_params.get(LANGUAGE, ""), CONTENT: content_of(request)}
    return {name: value for name, value in wanted.items() if value in WORDED or (name == CONTENT and value)}


def catalogue_of(request: Request) -> Catalogue:
    """The words of the page, with the languages in which its reader wants what the graph says."""
    known: Pages = request.app.state.pages
    return known.catalogues[language_of(request)].reading(content_of(request))


def _as_media(language_range: str) -> str:
    tag, semicolon, parameters = language_range.partition(";")
    bare = tag.strip().split("-")[0].lower()
    return f"{'*/*' if bare == '*' else f'{bare}/-'}{semicolon}{parameters}"


def page(
    request: Request,
    template: str,
    *,
    generation: int = 0,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> Response:
    """A page in the reader's language; 304 when the reader has it."""
    made = document(request, template, generation=generation, headers=headers, **values)
    if status != 200:
        kept = {name: value for name, value in made.headers.items() if name != "ETag"}
        return Response(made.body, status, headers=kept, media_type=made.media_type)
    return sent(request, made)


def document(
    request: Request,
    template: str,
    *,
    generation: int = 0,
    headers: dict[str, str] | None = None,
    is_embedded: bool = False,
    **values: Any,
) -> Document:
    """A page in the reader's language, with the generation that it was made of; 0 for one that no change touches.

    An embedded one has no header and no footer, and anyone may frame it.
    """
    pages: Pages = request.app.state.pages
    (language, scheme), root = variant_of(request), public_url(request)
    here = f"{root}{getattr(request.state, 'place', None) or _asked(request, request.url.path)}"
    text = pages.render(
        template,
        catalogue=catalogue_of(request),
        root=root,
        here=here,
        is_embedded=is_embedded,
        appearance=scheme,
        handed_on=chosen(request),
        **values,
    ).encode()
    about = HEADERS | (_EMBEDDED if is_embedded else {})
    about |= {"Content-Language": language, "Cache-Control": "no-cache", "ETag": etag(generation, text)}
    about |= {"Vary": "Accept, Accept-Language"} | ({"KG-Generation": str(generation)} if generation else {})
    about |= headers or {}
    about |= {"Vary": f"{about['Vary']}, Cookie"} if scheme else {}
    return Document(text, about, "text/html")


async def long_page(
    request: Request,
    template: str,
    *,
    generation: int,
    state: Hashable,
    values: Callable[[], dict[str, Any]],
    is_embedded: bool = False,
) -> Response:
    """A page that takes long to make: made beside the event loop, and kept while generation and state are the same."""
    finished: Finished = request.app.state.finished
    key = (template, generation, state, variant_of(request), public_url(request), request.url.query)
    made = finished.get(key)
    if made is None:
        made = await asyncio.to_thread(
            lambda: document(request, template, generation=generation, is_embedded=is_embedded, **values())
        )
        finished.keep(key, made)
    return sent(request, made)


def for_people(door: Door, place: Place | None = None) -> Door:
    """The door, whose errors are pages for those who prefer HTML; what will soon be there is asked for again.

    Where it leads to another page, that is read in the same language as the one it was asked from. A door that is
    only sent to shows pages that cannot be asked for: their links to themselves, in another language say, lead to the
    `place` of the page that has the form.
    """

    @wraps(door)
    async def opened(request: Request) -> Response:
        if plain := _unmarked(request):
            return RedirectResponse(plain, 302)
        request.state.place = place(request) if place else None
        try:
            return _led(request, await door(request))
        except KgError as error:
            if not prefers_html(request):
                raise
            what = {
                "status": error.status,
                "key": _key(error.status),
                "detail": error.detail,
                "end": error.more if isinstance(error, Deleted) else {},
            }
            return page(request, "error.html", headers=come_again(request, error), problem=what, status=error.status)

    return opened


def form_on(path: str) -> Place:
    """The page at a path, in which parts of the door's path may be named, with what the address of the form asks."""
    return lambda request: _asked(
        request, path.format(**{name: quote(str(value), safe="") for name, value in request.path_params.items()})
    )


def _asked(request: Request, path: str) -> str:
    return f"{path}{'?' + request.url.query if request.url.query else ''}"


def _unmarked(request: Request) -> str | None:
    """The address without what letters and networks add to a link, to know who followed it; None where nothing is."""
    parts = request.url.query.split("&")
    kept = [part for part in parts if not _MARK.fullmatch(part.partition("=")[0])]
    if len(kept) == len(parts) or request.method not in ("GET", "HEAD"):
        return None
    return f"{public_url(request)}{request.url.path}{'?' if kept else ''}{'&'.join(kept)}"


def _led(request: Request, answer: Response) -> Response:
    """The answer; one that leads to a page hands on the languages that were chosen."""
    for name, value in chosen(request).items():
        if where := answer.headers.get("location"):
            answer.headers["location"] = keeping.led(where, public_url(request), name, value)
    return answer


def come_again(request: Request, error: KgError) -> dict[str, str]:
    """The headers of a page about a problem; the browser asks again by itself for what is still being made."""
    about = problems.headers(error)
    if error.status != 503 or "retry_after" not in error.more or request.method != "GET":
        return about
    return about | {"Refresh": str(error.more["retry_after"])}


def _key(status: int) -> str:
    """The words of an error page."""
    return f"error.{status}" if status in (401, 403, 404, 406, 410, 412, 422, 503, 504) else "error.other"


def prefers_html(request: Request) -> bool:
    """Whether the client would rather have a page than a problem as JSON."""
    accept = request.headers.get("accept", "*/*")
    return negotiate(accept, (_PROBLEM, _HTML)) is _HTML
