"""The pages for looking around: each with its door, on one screen."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI

from kg_service.api import (
    about_pages,
    guidelines_page,
    jobs_page,
    list_pages,
    overlap_page,
    pages,
    sdg_page,
    sources,
    themes_page,
    tied_pages,
    timeline_page,
)
from kg_service.api.explored import METHODS
from kg_service.lists.declared import Collection

DOORS = {
    "/sources": sources.listed,
    "/sources/{slug:path}": sources.shown,
    "/sdg": sdg_page.shown,
    "/themes": themes_page.shown,
    "/guidelines": guidelines_page.shown,
    "/alliances/overlap": overlap_page.shown,
    "/path": tied_pages.path,
    "/communities": tied_pages.communities,
    "/timeline": timeline_page.shown,
    "/about": about_pages.about,
    "/method": about_pages.method,
    "/download": about_pages.download,
    "/jobs/{job_id}": jobs_page.shown,
}


def install(app: FastAPI, collections: Iterable[Collection]) -> None:
    """Adds the pages."""
    lists = {path: door.shown for path, door in list_pages.doors(collections).items()}
    for path, door in (DOORS | lists).items():
        app.add_route(path, pages.for_people(door), methods=METHODS, include_in_schema=False)
    cancel = pages.for_people(jobs_page.cancelled, pages.form_on("/jobs/{job_id}"))
    app.add_route("/jobs/{job_id}/cancel", cancel, methods=["POST"], include_in_schema=False)
    keep = pages.for_people(guidelines_page.keep)
    app.add_route("/guidelines/keep", keep, methods=[*METHODS, "POST"], include_in_schema=False)
