"""What a request asks for by its parameters: declared once, read by the declaration, and described by it in OpenAPI.

A wrong or unknown parameter is an error (422) that names it, its value, and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from fastapi.routing import APIRoute
from starlette.requests import Request

from kg_service.errors import NotAcceptable, wrong_parameter
from kg_service.rdf import Format, NamedNode
from kg_service.sparql.protocol import negotiate

Kind = Literal["string", "integer", "boolean", "date", "language", "iri", "thing"]
#: Characters of the longest value, and values of one parameter.
LONGEST, MOST = 2000, 100
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in the query string.

    `kind` tells what its values are: a date is a year, a month or a day (2019, 2019-04, 2019-04-30), a thing is an IRI
    or the end of one. With `is_many` there may be several, by repeating it or by commas, and what is read is a tuple.
    `allowed` are the only values, as they are sent; one may also be sent with `begin` before it, as an IRI. `least` and
    `most` bound an integer.
    """

    name: str
    description: str
    kind: Kind = "string"
    allowed: tuple[str, ...] = ()
    begin: str = ""
    is_many: bool = False
    is_required: bool = False
    default: Any = None
    least: int | None = None
    most: int | None = None
    example: Any = None

    def openapi(self) -> dict[str, Any]:
        """The parameter object of the OpenAPI description."""
        schema = self._schema()
        if self.is_many:
            schema = {"type": "array", "items": schema, "maxItems": MOST}
        if self.default is not None:
            schema["default"] = self.default
        described: dict[str, Any] = {"name": self.name, "in": "query"}
        described |= {"description": self.description, "schema": schema}
        if self.is_many:
            described |= {"style": "form", "explode": True}
        if self.is_required:
            described["required"] = True
        return described if self.example is None else described | {"example": self.example}

    def _schema(self) -> dict[str, Any]:
        if self.allowed:
            return {"type": "string", "enum": list(self.allowed)}
        if self.kind == "integer":
            bounds = (("minimum", self.least), ("maximum", self.most))
            return {"type": "integer"} | {name: bound for name, bound in bounds if bound is not None}
        if self.kind == "boolean":
            return {"type": "boolean"}
        if self.kind == "date":
            return {"type": "string", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"}
        if self.kind == "language":
            return {"type": "string", "pattern": "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$", "maxLength": 35}
        if self.kind == "thing":
            return {"type": "string", "pattern": "^[A-Za-z0-9:/._~#-]+$", "maxLength": LONGEST}
        if self.kind == "iri":
            return {"type": "string", "format": "iri", "minLength": 1, "maxLength": LONGEST}
        return {"type": "string", "minLength": 1, "maxLength": LONGEST}

    def value(self, text: str) -> Any:
        """The value that a text means; WrongParameter when it means none."""
        if self.allowed:
            text = text.removeprefix(self.begin)
            if text not in self.allowed:
                raise wrong_parameter(self.name, text, f"one of: {', '.join(self.allowed)}")
            return text
        if not text or len(text) > LONGEST or _CONTROL.search(text):
            raise wrong_parameter(self.name, text[:80], f"1 to {LONGEST} characters, without control characters")
        if self.kind == "integer":
            return self._integer(text)
        if self.kind == "boolean":
            if text.lower() not in ("true", "false", "1", "0"):
                raise wrong_parameter(self.name, text, "one of: true, false")
            return text.lower() in ("true", "1")
        if self.kind == "date" and not _is_date(text):
            raise wrong_parameter(self.name, text, "a year, a month or a day, such as 2019, 2019-04 or 2019-04-30")
        if self.kind == "language" and not _LANGUAGE.fullmatch(text):
            raise wrong_parameter(self.name, text, "a language tag, such as en, es or pt-BR")
        if self.kind == "iri" and not is_iri(text):
            raise wrong_parameter(self.name, text, "an absolute IRI")
        if self.kind == "thing" and not is_iri(text if ":" in text else f"urn:x:{text}"):
            raise wrong_parameter(self.name, text, "an absolute IRI, or the end of one")
        return text

    def _integer(self, text: str) -> int:
        least = self.least if self.least is not None else -(2**31)
        most = self.most if self.most is not None else 2**31
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise wrong_parameter(self.name, text, f"a whole number from {least} to {most}")
        return int(text)


def read(request: Request, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The values of the declared parameters by name, defaults where none is sent.

    WrongParameter for a name that is not declared, for a second value where one is allowed, and for a wrong value.
    """
    return values(request.query_params.multi_items(), parameters)


def values(pairs: Sequence[tuple[str, str]], parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The same of names and texts, wherever they come from."""
    declared = {parameter.name: parameter for parameter in parameters}
    sent: dict[str, list[str]] = {}
    for name, text in pairs:
        sent.setdefault(name, []).append(text)
    _refuse_others(pairs, declared, {name for name, each in declared.items() if each.is_many})
    found: dict[str, Any] = {}
    for name, parameter in declared.items():
        texts = sent.get(name)
        if texts is None:
            if parameter.is_required:
                raise wrong_parameter(name, "", f"it is needed: {parameter.description}")
            found[name] = () if parameter.is_many and parameter.default is None else parameter.default
        elif parameter.is_many:
            parts = tuple(dict.fromkeys(part for text in texts for part in _parts(text)))
            if len(parts) > MOST:
                raise wrong_parameter(name, f"{len(parts)} values", f"at most {MOST} values")
            found[name] = tuple(parameter.value(part) for part in parts)
        else:
            found[name] = parameter.value(texts[0])
    return found


def refuse_others(request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> None:
    """WrongParameter for a parameter that is not known, or that comes twice though it is not repeatable."""
    _refuse_others(request.query_params.multi_items(), known, repeatable)


def _refuse_others(pairs: Sequence[tuple[str, str]], known: Collection[str], repeatable: Collection[str]) -> None:
    seen: set[str] = set()
    for name, text in pairs:
        if name not in known:
            raise wrong_parameter(
                name[:80], text[:80], f"known parameters: {', '.join(known)}" if known else "there are no parameters"
            )
        if name in seen and name not in repeatable:
            raise wrong_parameter(name, text[:80], "it may be sent once")
        seen.add(name)


def only_declared(request: Request) -> None:
    """A dependency of every route: refuses parameters that its description does not name."""
    route = request.scope.get("route")
    if isinstance(route, APIRoute):
        described = list((route.openapi_extra or {}).get("parameters", ()))
        lists = [field.alias for field in route.dependant.query_params if "list[" in str(field.field_info.annotation)]
        others = [field.alias for field in route.dependant.query_params if field.alias not in lists]
        known = dict.fromkeys([*lists, *others, *names(described)])
        refuse_others(request, known, [*lists, *(each["name"] for each in described if _is_list(each))])


def names(described: Iterable[dict[str, Any]]) -> list[str]:
    """The names of the parameters of a query string among those of an OpenAPI description."""
    return [each["name"] for each in described if each["in"] == "query"]


def _is_list(described: dict[str, Any]) -> bool:
    return bool(described.get("schema", {}).get("type") == "array")


def format_parameter(among: Sequence[Format]) -> Parameter:
    """The parameter `format`, for clients that cannot send an Accept header."""
    names = tuple(known.name for known in among)
    return Parameter(name="format", description="The answer's format; it wins over Accept.", allowed=names)


def chosen_format(request: Request, among: Sequence[Format], named: str | None = None) -> Format:
    """The format of that name, else the one that Accept likes best; NotAcceptable lists them all."""
    if named is not None:
        return next(known for known in among if known.name == named)
    accept = request.headers.get("accept", "*/*")
    chosen = negotiate(accept, among)
    if chosen is None:
        known_types = ", ".join(known.media_types[0] for known in among)
        raise NotAcceptable(f'no answer can be written as "{accept[:200]}"; known: {known_types}')
    return chosen


def is_iri(text: str) -> bool:
    """Whether it is an absolute IRI that can stand in a query."""
    try:
        NamedNode(text)
    except ValueError:
        return False
    return not re.search(r'[<>"{}|^`\\\s]', text)


def _parts(text: str) -> list[str]:
    """What commas part; those within an IRI belong to it, so that among IRIs only one before the next IRI parts."""
    return re.split(r",(?=[a-z]+://)", text) if "://" in text else text.split(",")


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text) or text.startswith("0000"):
        return False
    try:
        date.fromisoformat((text + "-01-01")[:10] if len(text) < 10 else text)
    except ValueError:
        return False
    return True
