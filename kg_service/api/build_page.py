"""`/build`: a query put together of choices from the shapes, shown, and answered; all of it is in the address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import offering, pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.history_pages import names_of
from kg_service.api.parameters import Parameter, values
from kg_service.api.shapes import rulebook
from kg_service.beside import at_once
from kg_service.errors import QueryStopped, wrong_parameter
from kg_service.linked_data import Asking, of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import Literal, NamedNode
from kg_service.web.build import built, conditions
from kg_service.web.fields import Field, Forms, choice
from kg_service.web.names import Names, Shown

METHODS = ["GET", "HEAD"]
#: Rows that the page shows.
_SHOWN = 50
_CLASS = Parameter(name="class", description="What to look for: a name of the ontology.")
_SHOW = Parameter(name="show", description="A property to show.", is_many=True)


@dataclass(frozen=True, slots=True)
class _Answered:
    """A query with its rows, why it was stopped, or, by field, the things of which one must be chosen first."""

    query: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


async def shown(request: Request) -> Response:
    """The choices, and with a class the query and the first rows of its answer."""
    pairs = [(name, text.strip()) for name, text in request.query_params.multi_items() if text.strip()]
    names = await names_of(request, [])
    forms = Forms(rulebook(request.app.state.settings), names)
    classes = forms.classes()
    known = {each.iri.rpartition("#")[2]: each for each in classes}
    chosen = next((text for name, text in pairs if name == "class"), None)
    if chosen is not None and chosen not in known:
        raise wrong_parameter("class", chosen[:80], f"one of: {', '.join(sorted(known))}")
    fields = forms.fields(known[chosen].iri) if chosen else []
    given = values(pairs, [*pages.LANGUAGES, _CLASS, _SHOW, *_parameters(fields)])
    generation, found, lists = 0, _Answered(), offering.Lists()
    if chosen:
        iri, tongues = known[chosen].iri, pages.catalogue_of(request).tongues
        generation, (found, lists) = await of_one_generation(
            request.app.state.readers,
            lambda asking: at_once(
                _answered(asking, iri, fields, given, tongues), offering.offered(asking, fields, tongues)
            ),
            seconds=request.app.state.settings.query_seconds,
            client=client_of(request),
        )
    root = public_url(request)
    columns = list(dict.fromkeys(name for row in found.rows for name in row))
    return pages.page(
        request,
        "build.html",
        generation=generation,
        classes=classes,
        chosen=known.get(chosen or ""),
        chosen_name=chosen,
        fields=fields,
        lists=lists,
        offered=offering.OFFERED,
        choices=found.choices,
        chosen_instead={
            each.id: [(shown, _with(request, each.id, choice(shown, iri))) for shown, iri in found.choices[each.id]]
            for each in fields
            if each.id in found.choices
        },
        given=given,
        query=found.query,
        problem=found.problem,
        columns=columns,
        rows=[[_cell(row.get(name), names) for name in columns] for row in found.rows[:_SHOWN]],
        total=len(found.rows),
        editor=f"{root}/query?{urlencode({'query': found.query})}",
        addresses=Addresses(root),
        csv=f"{root}/sparql?{urlencode({'query': found.query, 'format': 'csv'})}",
        json=f"{root}/sparql?{urlencode({'query': found.query, 'format': 'json'})}",
    )


async def _answered(
    asking: Asking, iri: str, fields: list[Field], given: dict[str, Any], tongues: tuple[str, ...]
) -> _Answered:
    """What comes of the choices for things of a class; WrongParameter for a value that means nothing in its field."""
    said = {name: value for name, value in given.items() if isinstance(value, str)}
    choices = await _resolved(asking, fields, said, tongues)
    _check([each for each in fields if each.id not in choices], said)
    wanted = [each for each in fields if each.id in given["show"]]
    text = built(iri, fields, wanted, conditions(fields, said), tongues)
    if choices:
        return _Answered(text, choices=choices)
    try:
        return _Answered(text, await asking.rows(text))
    except QueryStopped as stopped:
        return _Answered(text, problem=stopped.detail)


def _parameters(fields: list[Field]) -> list[Parameter]:
    """The conditions that may be asked for."""
    found = [Parameter(name=each.id, description=each.name.text) for each in fields if each.kind != "date"]
    for each in fields:
        if each.kind == "date":
            found += [
                Parameter(name=f"{each.id}-{end}", description=each.name.text, kind="date") for end in ("from", "to")
            ]
    return found


async def _resolved(
    asking: Asking, fields: list[Field], said: dict[str, str], tongues: tuple[str, ...]
) -> dict[str, list[tuple[str, str]]]:
    """Puts the thing in place of a name that only one has; of other names, by field, the things that may be meant."""
    things_of = (each for each in fields if each.kind == "thing" and said.get(each.id))
    named = [each for each in things_of if each.term(said[each.id]) is None]
    found = await at_once(*(offering.meant(asking, each.classes, said[each.id], tongues) for each in named))
    several: dict[str, list[tuple[str, str]]] = {}
    for each, things in zip(named, found, strict=True):
        if len(things) == 1:
            said[each.id] = things[0][1]
        elif things:
            several[each.id] = things
    return several


def _with(request: Request, name: str, value: str) -> str:
    """The address of this page with another value of a field."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != name and pair[1].strip()]
    return f"{public_url(request)}/build?{urlencode([*kept, (name, value)])}"


def _check(fields: list[Field], said: dict[str, str]) -> None:
    """WrongParameter for a value that means nothing in its field."""
    for each in fields:
        text = said.get(each.id, "")
        if text and each.kind not in ("text", "words", "address", "date") and each.term(text) is None:
            raise wrong_parameter(
                each.id, text[:80], "a name that something has, an address, its end such as place/bamako, or a number"
            )


def _cell(term: Any, names: Names) -> Shown:
    """A value of the answer."""
    if term is None:
        return Shown("")
    return names.shown(term) if isinstance(term, Literal | NamedNode) else Shown(str(term))
