"""Which languages a client reads."""

from __future__ import annotations

import re

from starlette.requests import Request

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([0-9](?:\.[0-9]{0,3})?)\s*)?")
#: Languages of one request that count.
_MOST = 10


def languages_of(header: str) -> tuple[str, ...]:
    """The languages of an Accept-Language header, the best first (RFC 9110, section 12.5.4); what is none is passed
    over.
    """
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:50]:
        match = _RANGE.fullmatch(part)
        if match and (weight := float(match[2] or 1)):
            found.append((-weight, match[1].lower()))
    return tuple(dict.fromkeys(language for _, language in sorted(found, key=lambda each: each[0])))[:_MOST]


def accepted_languages(request: Request) -> tuple[str, ...]:
    """Those of a request."""
    return languages_of(request.headers.get("accept-language", ""))
