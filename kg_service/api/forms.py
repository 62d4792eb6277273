"""What people send by the forms of pages: fields and files, in bounds."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from kg_service.api.writing import body_of
from kg_service.errors import Malformed, UnsupportedFormat, wrong_parameter

#: Fields of one form.
_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields in the order in which they were sent, and the files that are not empty, by field."""

    fields: tuple[tuple[str, str], ...]
    files: dict[str, Upload]

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return next((value for key, value in self.fields if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        """The value of a field that has a few, the first where it is not sent; WrongParameter for another."""
        value = self.get(name, allowed[0])
        if value not in allowed:
            raise wrong_parameter(name, value[:80], f"one of: {', '.join(allowed)}")
        return value


async def form_of(request: Request, limit: int) -> Form:
    """The form in a request's body of so many bytes at most: multipart, or urlencoded."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await body_of(request, limit)
    if media_type == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST, errors="strict")
        except ValueError as error:
            raise Malformed(f"the form could not be read: {error}") from None
        return Form(tuple((name, _lines(value)) for name, value in pairs), {})
    if media_type != "multipart/form-data":
        raise UnsupportedFormat(
            f'a form cannot be read from "{media_type}"; known: multipart/form-data, application/x-www-form-urlencoded'
        )

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    fields: list[tuple[str, str]] = []
    files: dict[str, Upload] = {}
    try:
        parser = MultiPartParser(request.headers, stream(), max_files=4, max_fields=_MOST, max_part_size=limit)
        parts = await parser.parse()
        for name, value in parts.multi_items():
            if not isinstance(value, UploadFile):
                fields.append((name, _lines(value)))
            elif content := await value.read():
                files[name] = Upload((value.filename or "").replace("\\", "/").rpartition("/")[2][:200], content)
        await parts.close()
    except MultiPartException as error:
        raise Malformed(f"the form could not be read: {error.message}") from None
    except (KeyError, UnicodeDecodeError):
        raise Malformed("the form could not be read: its boundary or its encoding is wrong") from None
    return Form(tuple(fields), files)


def _lines(text: str) -> str:
    """A text with the line ends that it had before the browser sent it (HTML, section 4.10.22.4)."""
    return text.replace("\r\n", "\n")
