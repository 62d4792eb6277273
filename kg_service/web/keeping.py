"""What a reader has chosen in the address of a page is in its links to other pages, in what its forms ask for, and in
where an answer leads.

Done to the finished page or answer, once and for all, so that no template, no list of links and no door can forget it.
"""

from __future__ import annotations

import re
from html import escape, unescape

#: The first parts of the paths of pages; what else there is, is data, and knows nothing of such choices.
PAGES = frozenset(
    (
        *("", "page", "describe", "search", "network", "communities", "path", "map", "timeline", "themes"),
        *("recommendations", "policies", "alliances", "sdg", "sources", "query", "build", "guidelines", "contribute"),
        *("tables", "duplicates", "validate", "history", "ontology", "shapes", "download", "method", "about", "report"),
        *("jobs", "profile", "sign-in", "sign-out"),
    )
)
#: How an address of data ends, as that of a template for tables.
_FILE = re.compile(r"/[^/]+\.[a-z]+$")
#: What a link has before its address that leads to the same page with another choice, or none.
APART = 'class="apart"'
#: A link, or a form that is posted: what it sends is its body, and a choice is read from the address.
_LINK = re.compile(r'(<(?:a\b[^>]*?\shref|form\b(?=[^>]*\smethod="post")[^>]*?\saction)=")([^"]*)(")')
#: A form that asks: what it sends takes the place of what its address had after the question mark.
_FORM = re.compile(r'(<form\b[^>]*?\saction="([^"]*)"[^>]*?\smethod="get"[^>]*>)(.*?)(</form>)', re.DOTALL)


def kept(html: str, root: str, name: str, value: str) -> str:
    """The page with a parameter in each link and each form that leads to a page below `root` and does not have it."""

    def linked(found: re.Match[str]) -> str:
        before, address, after = found.groups()
        return found[0] if APART in before else f"{before}{escape(led(unescape(address), root, name, value))}{after}"

    def asked(found: re.Match[str]) -> str:
        start, address, fields, end = found.groups()
        if not _is_page(unescape(address), root) or f'name="{name}"' in fields:
            return found[0]
        return f'{start}<input type="hidden" name="{name}" value="{escape(value)}">{fields}{end}'

    return _FORM.sub(asked, _LINK.sub(linked, html))


def led(address: str, root: str, name: str, value: str) -> str:
    """The address that a link or an answer leads to, with a parameter where it is one of a page without it."""
    whole, hash_, fragment = address.partition("#")
    _, mark, query = whole.partition("?")
    if not _is_page(whole, root) or any(each.partition("=")[0] == name for each in query.split("&")):
        return address
    return f"{whole}{'&' if mark else '?'}{name}={value}{hash_}{fragment}"


def _is_page(address: str, root: str) -> bool:
    path = re.split("[?#]", address, maxsplit=1)[0]
    if path != root and not path.startswith(f"{root}/"):
        return False
    return path.removeprefix(root).lstrip("/").partition("/")[0] in PAGES and not _FILE.search(path)
