"""What a reader has chosen in the address of a page is in its links to other pages, and in what its forms ask for.

Done to the finished page, once and for all, so that no template and no list of links can forget it.
"""

from __future__ import annotations

import re
from html import escape

#: The first parts of the paths of pages; what else there is, is data, and knows nothing of such choices.
PAGES = frozenset(
    (
        *("", "page", "describe", "search", "network", "communities", "path", "map", "timeline", "themes"),
        *("recommendations", "policies", "alliances", "sdg", "sources", "query", "build", "guidelines", "contribute"),
        *("tables", "duplicates", "validate", "history", "ontology", "shapes", "download", "method", "about", "report"),
        *("jobs", "profile"),
    )
)
#: What a link has before its address that leads to the same page with another choice, or none.
APART = 'class="apart"'
_LINK = re.compile(r'(<a\b[^>]*?\shref=")([^"]*)(")')
_FORM = re.compile(r'(<form\b[^>]*?\saction="([^"]*)"[^>]*?\smethod="get"[^>]*>)(.*?)(</form>)', re.DOTALL)


def kept(html: str, root: str, name: str, value: str) -> str:
    """The page with a parameter in each link and each form that leads to a page below `root` and does not have it."""
    begin, said = escape(root), f"{name}={escape(value)}"

    def is_page(address: str) -> bool:
        path = re.split("[?#]", address, maxsplit=1)[0]
        if path != begin and not path.startswith(f"{begin}/"):
            return False
        return path.removeprefix(begin).lstrip("/").partition("/")[0] in PAGES

    def linked(found: re.Match[str]) -> str:
        before, address, after = found.groups()
        whole, hash_, fragment = address.partition("#")
        _, mark, query = whole.partition("?")
        if (
            APART in before
            or not is_page(address)
            or any(each.startswith(f"{name}=") for each in re.split("&amp;|&", query))
        ):
            return found[0]
        return f"{before}{whole}{'&amp;' if mark else '?'}{said}{hash_}{fragment}{after}"

    def asked(found: re.Match[str]) -> str:
        start, address, fields, end = found.groups()
        if not is_page(address) or f'name="{name}"' in fields:
            return found[0]
        return f'{start}<input type="hidden" name="{name}" value="{escape(value)}">{fields}{end}'

    return _FORM.sub(asked, _LINK.sub(linked, html))
