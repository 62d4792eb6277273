"""The pages for looking around: each with its door, on one screen."""

from __future__ import annotations

from fastapi import FastAPI

from kg_service.api import pages, sdg_page, sources
from kg_service.api.explored import METHODS

DOORS = {
    "/sources": sources.listed,
    "/sources/{slug:path}": sources.shown,
    "/sdg": sdg_page.shown,
}


def install(app: FastAPI) -> None:
    """Adds the pages."""
    for path, door in DOORS.items():
        app.add_route(path, pages.for_people(door), methods=METHODS, include_in_schema=False)
