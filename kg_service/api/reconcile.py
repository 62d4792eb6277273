"""`/reconcile`: the Reconciliation Service API, version 0.2 at `/reconcile`, 1.0-draft at `/reconcile/1.0-draft`.

Clients of these APIs send parameters that no version knows; they are passed over. JSONP is not served: version 0.2 made
it optional beside CORS, 1.0-draft took it away.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from html import escape
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service import __version__
from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.languages import accepted_languages
from kg_service.api.parameters import Parameter
from kg_service.api.reconcile_parameters import CURSOR, ID, LIMIT, OFFSET, PREFIX, TYPE
from kg_service.api.reconcile_parameters import OPENAPI as OPENAPI
from kg_service.api.writing import body_of
from kg_service.errors import Malformed, NotFound, UnsupportedFormat, wrong_parameter
from kg_service.linked_data import Asking, of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.reconciliation import (
    BATCH,
    Candidate,
    Facts,
    Wanted,
    extension,
    facts,
    matching,
    reading,
    scoring,
    writing,
)
from kg_service.linked_data.reconciliation.vocabulary import Named, Vocabulary, expanded, is_iri, offered
from kg_service.rdf import ONTOLOGY, PREFIXES
from kg_service.search import LONGEST_QUESTION, Question

T = TypeVar("T")
#: Paths where POST only asks.
READ_BY_POST = ("/reconcile", "/reconcile/1.0-draft/match", "/reconcile/1.0-draft/extend")
#: Bytes of the largest batch.
_LARGEST = 2 * 2**20
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_FRAMED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *"}
_ALTERNATIVE, _ACRONYM = PREFIXES["skos"] + "altLabel", ONTOLOGY + "acronym"


def install(app: FastAPI) -> None:
    """Adds the doors of both versions."""
    root, draft = "/reconcile", "/reconcile/1.0-draft"
    app.add_route(root, reconcile, methods=["GET", "HEAD", "POST"], include_in_schema=False)
    app.add_route(draft, manifest_of_draft, include_in_schema=False)
    app.add_route(f"{draft}/match", match, methods=["POST"], include_in_schema=False)
    app.add_route(f"{draft}/extend", extend, methods=["POST"], include_in_schema=False)
    for where in (root, draft):
        for kind, door in (("entity", suggest_entity), ("property", suggest_property), ("type", suggest_type)):
            app.add_route(f"{where}/suggest/{kind}", door, include_in_schema=False)
        app.add_route(f"{where}/extend/propose", propose, include_in_schema=False)
        app.add_route(f"{where}/preview", preview, include_in_schema=False)
    app.add_route(f"{root}/flyout/{{kind}}", flyout, include_in_schema=False)
    app.add_route(f"{root}/view", view, include_in_schema=False)
    app.add_route(f"{root}/features", features, include_in_schema=False)


async def reconcile(request: Request) -> Response:
    """Version 0.2: the manifest without parameters, answers to `queries`, data for `extend`."""
    sent = dict(request.query_params)
    if request.method == "POST":
        sent |= await _form(request)
    if "callback" in sent:
        raise wrong_parameter("callback", sent["callback"][:80], "JSONP is not served; every page may read by CORS")
    if "queries" in sent:
        batch = reading.batch_0_2(reading.read_json(sent["queries"], "queries"), _vocabulary(request))
        found = await _matched(request, list(batch.values()))
        return _answer(writing.results_0_2(dict(zip(batch, found[1], strict=True))), found[0])
    if "extend" in sent:
        return await _extended(request, reading.read_json(sent["extend"], "extend"), extension.answer_0_2)
    if request.method == "POST" or "query" in sent:
        raise Malformed('send “queries”, a JSON object such as {"q0": {"query": "GSEF"}}, or “extend”')
    made = writing.manifest_0_2(_root(request), _vocabulary(request), pages.language_of(request), __version__)
    return _answer(made, None, Link=f'<{_root(request)}/1.0-draft>; rel="alternate"; title="1.0-draft"')


async def manifest_of_draft(request: Request) -> Response:
    """The manifest of 1.0-draft."""
    made = writing.manifest_1_0(_root(request), _vocabulary(request), pages.language_of(request), __version__)
    return _answer(made, None)


async def match(request: Request) -> Response:
    """1.0-draft: answers to a batch of queries."""
    batch = reading.batch_1_0(await _json(request), _vocabulary(request))
    generation, found = await _matched(request, batch)
    return _answer(writing.results_1_0(found), generation)


async def extend(request: Request) -> Response:
    """1.0-draft: values of properties."""
    return await _extended(request, await _json(request), extension.answer_1_0)


async def suggest_entity(request: Request) -> Response:
    """Things whose names begin with what was typed."""
    sent = _read(request, (PREFIX, LIMIT, OFFSET, CURSOR, TYPE))
    vocabulary, languages = _vocabulary(request), _languages(request)
    prefix = (sent["prefix"] or "").strip()
    named = expanded(prefix)
    if "://" in named and is_iri(named):
        generation, known = await _facts(request, [named])
        found = [_suggestion(iri, about, vocabulary, languages) for iri, about in known.items()]
        return _answer({"result": found}, generation)
    if not prefix:
        return _answer({"result": []}, None)
    type_ = vocabulary.class_iri(sent["type"]) if sent["type"] else None
    question = Question(
        prefix[:LONGEST_QUESTION],
        types=(type_,) if type_ else (),
        languages=languages,
        offset=sent["offset"] or sent["cursor"] or 0,
        limit=sent["limit"],
        is_of_names=True,
    )
    hits = (await request.app.state.search.find(question, client_of(request))).found["data"]
    generation, known = await _facts(request, [hit["iri"] for hit in hits])
    found = [
        _suggestion(h["iri"], known[h["iri"]], vocabulary, languages)
        for h in hits
        if h["iri"] in known and matching.is_thing(h["iri"])
    ]
    return _answer({"result": found}, generation)


def _suggestion(iri: str, about: Facts, vocabulary: Vocabulary, languages: tuple[str, ...]) -> dict[str, Any]:
    name, language = scoring.chosen_name(about, languages)
    types = [{"id": type_, "name": label or type_} for type_, label in matching.types_of(about, vocabulary, languages)]
    made: dict[str, Any] = {"id": iri, "name": name or iri, "notable": types}
    if description := matching.described(about, vocabulary, languages):
        made["description"] = description
    return made | writing.language_members(language)


async def suggest_type(request: Request) -> Response:
    """Classes by name."""
    vocabulary = _vocabulary(request)
    found = _page(_read(request, (PREFIX, LIMIT, OFFSET, CURSOR)), vocabulary.types(_languages(request)))
    return _answer(writing.suggested(found, vocabulary), None)


async def suggest_property(request: Request) -> Response:
    """Properties by name."""
    sent = _read(request, (PREFIX, LIMIT, OFFSET, CURSOR))
    found = _page(sent, _vocabulary(request).properties(_languages(request)))
    return _answer(writing.suggested(found), None)


def _page(sent: Mapping[str, Any], among: Iterable[Named]) -> list[Named]:
    start = sent["offset"] or sent["cursor"] or 0
    return offered(sent["prefix"] or "", among)[start : start + sent["limit"]]


async def propose(request: Request) -> Response:
    """Properties that can be fetched for things of a class."""
    sent = _read(request, (TYPE, LIMIT))
    vocabulary = _vocabulary(request)
    iri = vocabulary.class_iri(sent["type"] or "") or ""
    found = vocabulary.proposed(iri, _languages(request))
    if "limit" in request.query_params:
        found = found[: sent["limit"]]
    made: dict[str, Any] = {"properties": [{"id": each.iri, "name": each.name} for each in found]}
    made |= {"type": sent["type"]} if sent["type"] else {}
    return _answer(made | ({"limit": sent["limit"]} if "limit" in request.query_params else {}), None)


async def preview(request: Request) -> Response:
    """A small page about a thing, which pages elsewhere may show in a frame."""
    iri, about, generation = await _one(request)
    vocabulary, languages = _vocabulary(request), _languages(request)
    name, language = scoring.chosen_name(about, languages)
    return pages.page(
        request,
        "preview.html",
        generation=generation,
        headers=_FRAMED | {"Vary": "Accept-Language"},
        name=name or iri,
        name_language=language,
        address=Addresses(public_url(request)).page(iri),
        types=[label for _, label in matching.types_of(about, vocabulary, languages) if label],
        description=matching.described(about, vocabulary, languages) if about.texts else "",
        places=_place_names(about),
    )


def _place_names(about: Facts) -> list[str]:
    """One name for each place where a thing is."""
    return list({given.iri: given.text for given in about.values.get("place", ()) if given.text}.values())[:5]


async def flyout(request: Request) -> Response:
    """Version 0.2: a few words about a thing, a class or a property, as HTML in JSON."""
    kind, vocabulary, languages = request.path_params["kind"], _vocabulary(request), _languages(request)
    identifier = _read(request, (ID,))["id"]
    if kind == "entity":
        iri, about, generation = await _one(request)
        name, text = scoring.chosen_name(about, languages)[0] or iri, matching.described(about, vocabulary, languages)
    elif kind in ("type", "property"):
        if kind == "type":
            named = vocabulary.type_named(vocabulary.class_iri(identifier) or "", languages)
        else:
            named = vocabulary.property_named(vocabulary.property_iri(identifier), languages)
        if named is None:
            raise NotFound(f'there is no {kind} "{identifier}"')
        name, text, generation = named.name, named.description, None
    else:
        raise NotFound(f'there is no flyout for "{kind}"; known: entity, type, property')
    return _answer({"id": identifier, "html": f"<p><b>{escape(name)}</b></p><p>{escape(text)}</p>"}, generation)


async def view(request: Request) -> Response:
    """From an identifier to the page about the thing."""
    iri, _, _ = await _one(request)
    return RedirectResponse(Addresses(public_url(request)).page(iri), 303)


async def features(request: Request) -> Response:
    """What the features of a candidate mean."""
    return pages.page(
        request,
        "features.html",
        headers=_FRAMED,
        batch=BATCH,
        certain=f"{scoring.CERTAIN:g}",
        lead=f"{scoring.LEAD:g}",
        kinds={"alternative": scoring.NAME_KINDS[_ALTERNATIVE], "acronym": scoring.NAME_KINDS[_ACRONYM]},
    )


async def _matched(request: Request, batch: list[Wanted]) -> tuple[int, list[list[Candidate]]]:
    async def make(asking: Asking) -> list[list[Candidate]]:
        find = functools.partial(request.app.state.search.find, client=client_of(request))
        return await matching.matched(batch, find, asking, _vocabulary(request), _languages(request))

    return await _of_one_generation(request, make)


async def _extended(
    request: Request, sent: Any, write: Callable[[list[dict[str, Any]], extension.Rows], dict[str, Any]]
) -> Response:
    ids, properties = reading.extension(sent)
    vocabulary, languages = _vocabulary(request), _languages(request)

    async def make(asking: Asking) -> extension.Rows:
        return await extension.extended(ids, properties, asking, vocabulary, languages)

    generation, rows = await _of_one_generation(request, make)
    return _answer(write(extension.meta(properties, vocabulary, languages), rows), generation)


async def _facts(request: Request, iris: list[str]) -> tuple[int, dict[str, Facts]]:
    async def make(asking: Asking) -> dict[str, Facts]:
        return await facts.facts_of(asking, iris, ["place"])

    return await _of_one_generation(request, make)


async def _one(request: Request) -> tuple[str, Facts, int]:
    """The thing that `id` names; NotFound when the graph does not know it."""
    identifier = _read(request, (ID,))["id"]
    iri = expanded(identifier)
    generation, known = await _facts(request, [iri]) if "://" in iri and is_iri(iri) else (0, {})
    if iri not in known:
        raise NotFound(f'nothing is known of "{identifier}"')
    return iri, known[iri], generation


async def _of_one_generation(request: Request, make: Callable[[Asking], Awaitable[T]]) -> tuple[int, T]:
    return await of_one_generation(
        request.app.state.readers,
        make,
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; UnsupportedFormat for another body."""
    kind = _content_type(request)
    if kind != _FORM:
        raise UnsupportedFormat(f'send the queries as {_FORM}, or as {_JSON} to 1.0-draft/match, not as "{kind}"')
    body = await body_of(request, _LARGEST)
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=20))
    except (UnicodeDecodeError, ValueError) as error:
        raise Malformed(f"the form is not URL-encoded UTF-8: {error}") from None


async def _json(request: Request) -> Any:
    kind = _content_type(request)
    if kind != _JSON:
        raise UnsupportedFormat(f'send the query as {_JSON}, not as "{kind}"')
    return reading.read_json(await body_of(request, _LARGEST), "the body")


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _read(request: Request, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The parameters that we know; others are passed over."""
    found: dict[str, Any] = {}
    for parameter in parameters:
        text = request.query_params.get(parameter.name)
        if not text and parameter.is_required:
            raise wrong_parameter(parameter.name, "", f"it is needed: {parameter.description}")
        found[parameter.name] = parameter.value(text) if text else parameter.default
    return found


def _vocabulary(request: Request) -> Vocabulary:
    return Vocabulary(request.app.state.ontology)


def _languages(request: Request) -> tuple[str, ...]:
    return accepted_languages(request) or ("en",)


def _root(request: Request) -> str:
    return f"{public_url(request)}/reconcile"


def _answer(content: Any, generation: int | None, **more: str) -> Response:
    headers = {"Vary": "Accept-Language", "Cache-Control": "no-cache"} | more
    if generation is not None:
        headers["KG-Generation"] = str(generation)
    return Response(
        json.dumps(content, ensure_ascii=False, allow_nan=False), media_type="application/json", headers=headers
    )
