"""`/sdg`: what serves each Sustainable Development Goal, as a matrix whose cells open."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service import sdg
from kg_service.api import pages
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import Parameter, read
from kg_service.errors import wrong_parameter
from kg_service.rdf import NamedNode
from kg_service.web.sdgs import Matrix, class_of

_AIM = Parameter(name="aim", description="A goal or target by its code, such as 5 or 5.1.")
_KIND = Parameter(name="kind", description="What is listed of it.", allowed=tuple(sdg.KINDS.values()))


async def shown(request: Request) -> Response:
    """The matrix; with an aim its targets too, and with a kind what serves the aim."""
    given = read(request, [_AIM, _KIND, pages.EMBED, *pages.LANGUAGES])
    aim, kind = given["aim"], given["kind"]
    if kind and not aim:
        raise wrong_parameter("kind", kind, "send the aim too whose cell is meant")

    async def make(reader: Reader) -> dict[str, Any]:
        links = [_texts(row) for row in await reader.answer("sdgs/coverage")]
        known = sdg.aims(_texts(row) for row in await reader.answer("lists/sdgs"))
        iri = next((each.iri for each in known if each.code == aim), None)
        if aim and iri is None:
            raise wrong_parameter("aim", aim[:80], "the code of a goal or target, such as 5 or 5.1")
        rows = []
        if kind and iri:
            rows = await reader.answer("sdgs/served-by", aim=NamedNode(iri), kind=NamedNode(class_of(kind)))
        terms = {term for row in rows for term in row.values() if isinstance(term, NamedNode)}
        names = await reader.names([*terms, *(each.iri for each in known)])
        told = sdg.coverage(known, [sdg.link(row) for row in links])
        matrix = Matrix(told, names, aim=aim, kind=kind)
        return {"matrix": matrix, "served": matrix.listed(rows)}

    return await explored(request, "sdg.html", make, is_embedded=given["embed"] == "1")


def _texts(row: dict[str, Any]) -> dict[str, str]:
    """A row with all its columns as texts."""
    columns = ("aim", "kind", "thing", "by", "certainty", "iri", "code", "label", "goal")
    return {name: row[name].value if name in row else "" for name in columns}
