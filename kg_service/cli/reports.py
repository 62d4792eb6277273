"""What readers of the pages report as wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from kg_service.cli.common import AsJson, StorePath, app, say, settings_of
from kg_service.errors import NotFound


@app.command()
def reports(
    done: Annotated[list[int] | None, typer.Option(help="Let go of this report; again for more.")] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """List what readers report as wrong, or let go of what somebody has seen to."""
    from kg_service.reports import Inbox

    settings = settings_of(store=store)
    inbox = Inbox(settings.own_folder, settings.reports)
    for number in done or ():
        if not inbox.remove(number):
            raise NotFound(f"there is no report {number}; `kg reports` lists those that are")
        say(f"let go of report {number}")
    if done:
        return
    found = inbox.every()
    if as_json:
        every = [{"number": each.number, "time": each.time} | asdict(each.report) for each in found]
        print(json.dumps(every, ensure_ascii=False, indent=2))
        return
    for each in found:
        report = each.report
        print(f"{each.number}  {each.time}  {report.kind}  {report.about}  (generation {report.generation})")
        for name in ("words", "source", "contact"):
            for line in getattr(report, name).splitlines():
                print(f"   {name}: {_plain(line)}")
    if not found:
        say("nobody has reported anything that is not seen to")


def _plain(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
