"""The pages that take something in: choices for a query, data to be checked, changes by those who have signed in."""

from __future__ import annotations

from fastapi import FastAPI

from kg_service.api import (
    build_page,
    contribute_pages,
    duplicates_page,
    history_pages,
    pages,
    signing_in,
    tables_page,
    validate_page,
)


def install(app: FastAPI) -> None:
    """Adds the doors."""
    app.state.uploads = tables_page.Uploads()
    app.state.changes_shown = history_pages.Kept()
    for path, door, methods in (
        ("/validate", validate_page.shown, validate_page.METHODS),
        ("/build", build_page.shown, build_page.METHODS),
        ("/contribute", contribute_pages.start, ["GET", "HEAD"]),
        ("/contribute/new", contribute_pages.make, contribute_pages.METHODS),
        ("/contribute/edit", contribute_pages.edit, contribute_pages.METHODS),
        ("/tables", tables_page.shown, tables_page.METHODS),
        ("/tables/{name}.xlsx", tables_page.workbook, ["GET", "HEAD"]),
        ("/duplicates", duplicates_page.shown, duplicates_page.METHODS),
        ("/sign-in", signing_in.sign_in, signing_in.METHODS),
        ("/history", history_pages.listed, history_pages.METHODS),
        ("/history/{number:int}", history_pages.shown, history_pages.METHODS),
    ):
        app.add_route(path, pages.for_people(door), methods=methods, include_in_schema=False)
    for path, door, page in (
        ("/duplicates/decide", duplicates_page.decided, "/duplicates"),
        ("/sign-out", signing_in.sign_out, "/sign-in"),
        ("/history/{number:int}/revert", history_pages.reverted, "/history/{number}"),
    ):
        sent = pages.for_people(door, pages.form_on(page))
        app.add_route(path, sent, methods=["POST"], include_in_schema=False)
