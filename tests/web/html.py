"""What a page is made of, read with the standard library's parser, which forgives nothing that matters here."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"base", "meta", "link", "br", "img", "input", "hr", "col", "wbr"}


@dataclass
class Element:
    """A start tag with its attributes, and the text inside."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""


@dataclass
class Document(HTMLParser):
    """A page, whose elements must nest."""

    elements: list[Element] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(each.tag for each in self._open))
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1].tag if self._open else 'nothing'}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        return [each for each in self.elements if each.tag == tag]


def read(text: str) -> Document:
    """The page; its `problems` tell what does not nest, ids that come twice, and links into nothing."""
    document = Document()
    document.feed(text)
    document.close()
    ids = [each.attributes["id"] for each in document.elements if "id" in each.attributes]
    document.problems += [f"id {each} comes twice" for each in sorted(set(ids)) if ids.count(each) > 1]
    for each in document.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            for named in each.attributes.get(name, "").split():
                if named not in ids:
                    document.problems.append(f"{name} names {named}, which is not there")
        anchor = each.attributes.get("href", "")
        if anchor.startswith("#") and anchor[1:] not in ids:
            document.problems.append(f"{anchor} leads nowhere")
    return document
