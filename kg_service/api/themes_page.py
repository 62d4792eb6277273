"""`/themes`: the open lists of concepts (themes, practices, principles, …) as a tree or from A to Z."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import pages
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import Parameter, read
from kg_service.rdf import NamedNode, entity
from kg_service.web.themes import SCHEMES, VIEWS, Concepts

_SCHEME = Parameter(name="scheme", description="The list.", allowed=SCHEMES, default="themes")
_VIEW = Parameter(name="view", description="A tree, or from A to Z.", allowed=VIEWS, default="tree")


async def shown(request: Request) -> Response:
    """The concepts of a list, each with how many things have it."""
    given = read(request, [_SCHEME, _VIEW, *pages.LANGUAGES])

    async def make(reader: Reader) -> dict[str, Any]:
        schemes = {name: entity("scheme", name) for name in SCHEMES}
        rows = await reader.answer("themes/tree", scheme=schemes[given["scheme"]])
        rows = [row for row in rows if isinstance(row["concept"], NamedNode)]
        terms = {row[name] for row in rows for name in ("concept", "broader") if isinstance(row.get(name), NamedNode)}
        names = await reader.names([*terms, *schemes.values()])
        return {
            "concepts": Concepts(rows, names),
            "schemes": [(name, names.shown(iri)) for name, iri in schemes.items()],
            "scheme": given["scheme"],
            "view": given["view"],
        }

    return await explored(request, "themes.html", make)
