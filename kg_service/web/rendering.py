"""Templates into HTML, in the reader's language. Everything is escaped; no page needs a script.

`Pages.render` is the one door. A template inherits `base.html`, takes its words from the catalogue by `t("key")`, and
shows what comes from the graph by the macros in `terms.html`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from kg_service.ontology import TONGUES
from kg_service.web import islands, keeping, outline

#: The languages of the pages, the one to fall back on first.
LANGUAGES = ("en", "es", "fr")
#: The parameters that name the language of the page, and the one in which what the graph says comes first.
LANGUAGE, CONTENT = "lang", "clang"
FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
#: Schemes of IRIs that a page may link to.
_LINKED = ("http", "https", "mailto")
#: What stands between thousands, by language; a narrow space that does not break.
_THOUSANDS = {"en": ",", "es": "\u202f", "fr": "\u202f"}


class Catalogue:
    """The words of one language, by key. A key with numbers has an entry `.one` and one `.other`, or one for all."""

    def __init__(self, language: str) -> None:
        self.language = language
        #: The language in which what the graph says is wanted, where that is chosen apart from the page's.
        self.content = ""
        path = FOLDER / "catalogue" / f"{language}.json"
        self.entries: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))

    @property
    def tongues(self) -> tuple[str, ...]:
        """The languages in which what the graph says is shown, the best first."""
        return (self.content, self.language) if self.content not in ("", self.language) else (self.language,)

    def reading(self, content: str) -> Catalogue:
        """The same words, for who wants what the graph says in another language; in that of the page without one."""
        made = copy(self)
        made.content = content
        return made

    def words(self, key: str, n: int | None = None, **values: object) -> str:
        """The words for a key, with values put in by name; `n` chooses between singular and plural."""
        if n is not None:
            is_one = n == 1 or (n == 0 and self.language == "fr")
            key = key if key in self.entries else f"{key}.{'one' if is_one else 'other'}"
            values["n"] = self.number(n)
        return self.entries[key].format(**values)

    def beginning(self, prefix: str, **others: str) -> str:
        """The entries whose keys begin so, without that beginning, as JSON for a script.

        Those that begin as one of `others` come as well, with its name and a dot before them.
        """
        named = [(prefix, ""), *((other, f"{name}.") for name, other in others.items())]
        found = {
            f"{before}{key.removeprefix(start)}": text
            for start, before in named
            for key, text in self.entries.items()
            if key.startswith(start)
        }
        return json.dumps(found, ensure_ascii=False)

    def number(self, n: int) -> str:
        """A whole number with its thousands apart."""
        return f"{n:,}".replace(",", _THOUSANDS[self.language])


class Pages:
    """The templates, ready to be rendered, and the catalogues."""

    def __init__(self) -> None:
        self.catalogues = {language: Catalogue(language) for language in LANGUAGES}
        #: A digest for each static file, so that its address changes with it.
        self.digests = {
            path.name: blake2b(path.read_bytes(), digest_size=6).hexdigest()
            for path in STATIC.iterdir()
            if path.is_file()
        }
        self.islands = islands.built(STATIC)
        #: The outlines of countries; none where they were not built.
        self.outlines = outline.read(STATIC)
        #: Whether readers may report what is wrong; the application says so when it starts.
        self.takes_reports = False
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {"languages": LANGUAGES, "tongues": TONGUES, "t": _words, "framed": framed}
        self._environment.globals |= {"in_language": in_language, "read_in": read_in, "changed": _with}
        self._environment.filters |= {"href": href, "number": _number, "iframe": iframe}
        for name in self._environment.list_templates():  # all now: an upgrade beneath a running service mixes nothing
            self._environment.get_template(name)

    def render(
        self,
        template: str,
        *,
        catalogue: Catalogue,
        root: str,
        here: str,
        is_embedded: bool = False,
        appearance: str = "",
        handed_on: Mapping[str, str] | None = None,
        **values: Any,
    ) -> str:
        """A page in the language of a catalogue. `root` is the service's address, `here` the page's, with parameters.

        One that is embedded has no header and no footer. `appearance` is light or dark for who has chosen. Every
        link to another page has the parameters that are `handed_on`.
        """
        about: Mapping[str, Any] = {
            "catalogue": catalogue,
            "language": catalogue.language,
            "root": root,
            "here": here,
            "is_embedded": is_embedded,
            "appearance": appearance,
            "islands": self.islands,
            "takes_reports": self.takes_reports,
            "static": lambda name: (
                f"{root}/static/{name}?v={self.digests[name]}{f'&scheme={appearance}' if appearance else ''}"
            ),
        }
        text = self._environment.get_template(template).render(**about, **values)
        for name, value in (handed_on or {}).items():
            text = keeping.kept(text, root, name, value)
        return text


@pass_context
def _words(context: Context, key: str, n: int | None = None, **values: object) -> str:
    catalogue: Catalogue = context["catalogue"]
    return catalogue.words(key, n, **values)


@pass_context
def _number(context: Context, n: int) -> str:
    catalogue: Catalogue = context["catalogue"]
    return catalogue.number(n)


def href(iri: str) -> str | None:
    """The IRI where a page may link to it, else None: `javascript:` and its kind are text."""
    try:
        return iri if urlsplit(iri).scheme.lower() in _LINKED else None
    except ValueError:
        return None


def in_language(address: str, language: str) -> str:
    """The address of the same page in another language."""
    return _with(address, LANGUAGE, language)


def read_in(address: str, content: str) -> str:
    """The address of the same page with what the graph says in that language; in that of the page without one."""
    return _with(address, CONTENT, content)


def framed(address: str) -> str:
    """The address of the same page without header and footer, for a frame."""
    return _with(address, "embed", "1")


def iframe(address: str, title: str) -> str:
    """What others put into a page of theirs to show a page of ours within it."""
    return (
        f'<iframe src="{escape(address)}" title="{escape(title)}" width="100%" height="640" loading="lazy" '
        'style="border:0"></iframe>'
    )


def _with(address: str, name: str, value: str) -> str:
    """An address with another value of a parameter, or without the parameter."""
    path, _, query = address.partition("?")
    kept = [part for part in query.split("&") if part and part.partition("=")[0] != name]
    kept += [f"{name}={value}"] if value else []
    return f"{path}{'?' if kept else ''}{'&'.join(kept)}"
