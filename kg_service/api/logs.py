"""The log on standard error: for people, or one JSON object a line; what is told while a request is answered names it.

No line holds a token, the text of a query or an address as it was asked for: routes stand for addresses.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from kg_service.settings import Settings

#: The id of the request that is being answered here; empty elsewhere.
request_id: ContextVar[str] = ContextVar("request_id", default="")
#: The logger of requests; what a line of it says is in the record's `about`.
REQUESTS = logging.getLogger("kg_service.requests")
_PLAIN = re.compile(r"[\w.:/{}+\-]+", re.ASCII)


def begin(settings: Settings) -> None:
    """Makes this process log as the settings say; for a process that does nothing but serve."""
    written = logging.StreamHandler(sys.stderr)
    written.setFormatter(Json() if settings.log == "json" else Text())
    root = logging.getLogger()
    root.handlers[:] = [written]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # they have handlers of their own
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    REQUESTS.setLevel(logging.INFO)


def _about(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its sentence."""
    about: dict[str, Any] = getattr(record, "about", {})
    named = request_id.get()
    return {"request": named, **about} if named else about


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Json(logging.Formatter):
    """One object a line: time, level, logger, message, what else is known, and the error with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about(record),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """Time, level and sentence, and what else is known as name=value; a value that is not plain stands in quotation
    marks, so that nobody's words make a line of their own."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(f"{name}={_shown(str(value))}" for name, value in _about(record).items())
        line = f"{_time(record)} {record.levelname} {record.getMessage()}{about and ' ' + about}"
        if record.exc_info and record.exc_info[0]:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return line


def _shown(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
