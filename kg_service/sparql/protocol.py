"""The SPARQL 1.1 Protocol's query operation: what a request asks, and in which format it wants the answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from kg_service.errors import Malformed, NotAcceptable, UnsupportedFormat
from kg_service.rdf import BOOLEAN_FORMATS, GRAPH_FORMATS, TABLE_FORMATS, Format, format_named

QUERY_TYPE = "application/sparql-query"
UPDATE_TYPE = "application/sparql-update"
FORM_TYPE = "application/x-www-form-urlencoded"


_MOST_FIELDS = 1000
#: Names of formats that clients send and that ours are read as: Turtle is N3.
_OTHER_NAMES = {"n3": "turtle"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A query operation (section 2.1): the text, the dataset, and the formats that the client can read."""

    text: str
    default_graphs: tuple[str, ...]
    named_graphs: tuple[str, ...]
    table: str | None
    boolean: str | None
    graph: str | None
    seconds: float | None


def asked(method: str, query_string: bytes, headers: Mapping[str, str], body: bytes) -> Asked | None:
    """What a request asks; None for a GET without a query, which asks for the service description.

    Raises Malformed unless there is exactly one query and everything is UTF-8, UnsupportedFormat for a POST of
    another content type, NotAcceptable for an unknown `format`.
    """
    pairs = _pairs(query_string)
    if any(name == "update" for name, _ in pairs):
        raise Malformed("an update is sent by POST to /update")
    texts = [value for name, value in pairs if name == "query"]
    if method == "POST":
        content_type = headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type == FORM_TYPE:
            pairs += _pairs(body)
            texts = [value for name, value in pairs if name == "query"]
        elif content_type == QUERY_TYPE:
            texts.append(_utf8(body, "query"))
        else:
            raise UnsupportedFormat(f'send the query as {QUERY_TYPE} or {FORM_TYPE}, not "{content_type}"')
    elif not texts:
        return None
    if len(texts) != 1:
        raise Malformed(f"exactly one query is needed, {len(texts)} were sent")
    parameters = dict(pairs)
    accept = headers.get("accept", "*/*")
    wanted = parameters.get("format")
    table, boolean, graph = _formats(_OTHER_NAMES.get(wanted or "", wanted), accept)
    if table is boolean is graph is None:
        known = dict.fromkeys(f.media_types[0] for f in (*TABLE_FORMATS, *GRAPH_FORMATS))
        raise NotAcceptable(f'no answer can be written as "{accept}"; known: {", ".join(known)}')
    return Asked(
        text=texts[0],
        default_graphs=_iris(pairs, "default-graph-uri"),
        named_graphs=_iris(pairs, "named-graph-uri"),
        table=table,
        boolean=boolean,
        graph=graph,
        seconds=_seconds(parameters.get("timeout")),
    )


@dataclass(frozen=True, slots=True)
class AskedUpdate:
    """An update operation (section 2.2): the text, and the graphs that its patterns are matched against."""

    text: str
    using: tuple[str, ...]
    using_named: tuple[str, ...]


def asked_update(query_string: bytes, headers: Mapping[str, str], body: bytes) -> AskedUpdate:
    """What an update request asks; Malformed unless there is exactly one update, UnsupportedFormat as for queries."""
    pairs = _pairs(query_string)
    content_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type == FORM_TYPE:
        pairs = _pairs(body)
        texts = [value for name, value in pairs if name == "update"]
    elif content_type == UPDATE_TYPE:
        texts = [_utf8(body, "update")]
    else:
        raise UnsupportedFormat(f'send the update as {UPDATE_TYPE} or {FORM_TYPE}, not "{content_type}"')
    if len(texts) != 1:
        raise Malformed(f"exactly one update is needed, {len(texts)} were sent")
    return AskedUpdate(texts[0], _iris(pairs, "using-graph-uri"), _iris(pairs, "using-named-graph-uri"))


def _pairs(form: bytes) -> list[tuple[str, str]]:
    """The names and values of a query string or form."""
    fields = [field.partition(b"=") for field in form.split(b"&", _MOST_FIELDS) if field]
    if len(fields) > _MOST_FIELDS:
        raise Malformed(f"there are more than {_MOST_FIELDS} parameters")
    try:
        return [(_decoded(name), _decoded(value)) for name, _, value in fields]
    except UnicodeDecodeError as error:
        raise Malformed(f"the parameters are not URL-encoded UTF-8: {error}") from None


def _decoded(text: bytes) -> str:
    """Like `urllib.parse.unquote_plus`, which takes longer than anything else that is done with a query here."""
    text = text.replace(b"+", b" ")
    if b"%" not in text:
        return text.decode("utf-8")
    escaped = text.replace(b"\\", b"\\\\").replace(b"%", b"\\x")  # which the codec for Python's strings reads
    try:
        found = escaped.decode("unicode_escape").encode("latin-1")
    except UnicodeDecodeError:  # "%" without digits means itself
        found = unquote_to_bytes(text)
    return found.decode("utf-8")


def _utf8(body: bytes, what: str) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the {what} is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from None


_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^<>\"{}|^`\\\x00-\x20]*")


def _iris(pairs: Iterable[tuple[str, str]], parameter: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(value for name, value in pairs if name == parameter))
    for value in values:
        if not _ABSOLUTE.fullmatch(value):
            raise Malformed(f'{parameter} must be an absolute IRI, not "{value}"')
    return values


def _seconds(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise Malformed(f'timeout must be a number of seconds above 0, not "{value}"')
    return seconds


@lru_cache(128)  # clients send the same few
def _formats(wanted: str | None, accept: str) -> tuple[str | None, str | None, str | None]:
    """For a table, a boolean and a graph."""
    return (
        _chosen(wanted, accept, TABLE_FORMATS),
        _chosen(wanted, accept, BOOLEAN_FORMATS),
        _chosen(wanted, accept, GRAPH_FORMATS),
    )


def _chosen(wanted: str | None, accept: str, among: Sequence[Format]) -> str | None:
    """The format asked for by the `format` parameter, else by Accept; None when these formats have none such."""
    if wanted is None:
        best = negotiate(accept, among)
        return best.name if best else None
    format_named(wanted, (*TABLE_FORMATS, *GRAPH_FORMATS))
    return next((f.name for f in among if wanted in (f.name, *f.endings, *f.media_types)), None)


#: Media ranges that are looked at; browsers send a dozen.
_RANGES = 100


def negotiate(accept: str, among: Sequence[Format]) -> Format | None:
    """The format that an Accept header likes best (RFC 9110, section 12.5.1).

    Where it leaves a choice the first of `among` wins; None when it allows none of them. The most specific range
    that matches a format decides its quality; a quality of 0 forbids it. Ranges after the hundredth are not read.
    """
    ranges = [parsed for part in accept.split(",", _RANGES)[:_RANGES] if (parsed := _range(part))]
    if not ranges:
        return among[0]
    best: Format | None = None
    best_key: tuple[float, int] = (0.0, 0)
    for known in among:
        for media_type in known.media_types:
            is_alias = media_type != known.media_types[0]
            matching = [(specific, quality) for kind, quality in ranges if (specific := _matches(kind, media_type))]
            specific, quality = max(matching, default=(0, 0.0))
            if is_alias and specific < 3:  # `text/*` means our own names, not that text/xml is one of them
                continue
            if quality > 0 and (quality, specific) > best_key:
                best, best_key = known, (quality, specific)
    return best


def _range(part: str) -> tuple[str, float] | None:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                return None
    return (kind, quality) if kind.count("/") == 1 else None


def _matches(kind: str, media_type: str) -> int:
    """How specific a media range matches a type: 3 exactly, 2 `type/*`, 1 `*/*`, 0 not at all."""
    if kind == media_type:
        return 3
    if kind.endswith("/*") and kind[:-1] == media_type[: len(kind) - 1]:
        return 2
    return 1 if kind == "*/*" else 0
