"""Where an engine is, who we are to it, and what it does otherwise than the standard says."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pyoxigraph import NamedNode

from kg_service.errors import Malformed, Refused
from kg_service.store.remote.graphs import NOTHING, STAND_IN


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where engines differ. `default_graph` stands in for a default graph that cannot be written."""

    #: The parameter `timeout` is understood, in units of so many to the second.
    timeout_units: int | None = None
    #: Several default graphs are merged, as the standard asks; else a triple would count once for each.
    merges: bool = True
    default_graph: NamedNode | None = None
    #: A dataset must name both kinds of graphs, or the kind left out is every graph there is.
    needs_both_kinds: bool = False
    #: ASK about a graph outside of the dataset is answered with yes; SELECT finds nothing there, as it should.
    asks_by_rows: bool = False
    #: What updates begin with.
    prologue: str = ""
    #: Changes up to this size go in one request; larger ones are staged, then made by one operation.
    quads_per_request: int = 10_000


STANDARD = Dialect()
#: Apache Jena Fuseki; obeys a timeout where its service has `fuseki:allowTimeoutOverride true`.
FUSEKI = Dialect(timeout_units=1)
#: The Oxigraph server; give it `--timeout-s`, because it takes no timeout from a request.
OXIGRAPH = Dialect(merges=False)
#: Virtuoso 7. Its ini file must have `DefaultIsolation = 4`, or two writers at once both succeed (noticed, not undone),
#: and no `ResultSetMaxRows`, or answers are cut (noticed for SELECT; CONSTRUCT and DESCRIBE are cut in silence).
#: Its default graph is every graph there is, its own included, with a triple counted for each: hence the stand-in.
#: It stores some literals otherwise: decimals with 16 digits, durations not at all, integers up to 64 bits.
VIRTUOSO = Dialect(
    timeout_units=1000,
    merges=False,
    default_graph=STAND_IN,
    needs_both_kinds=True,
    asks_by_rows=True,
    prologue="DEFINE sql:log-enable 1 ",  # one transaction; its own default commits row by row
    quads_per_request=0,  # constants of a template are not found again when they are long or escaped
)
DIALECTS = {"standard": STANDARD, "fuseki": FUSEKI, "oxigraph": OXIGRAPH, "virtuoso": VIRTUOSO}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with a password (`basic`, or `digest` as Virtuoso's /sparql-auth wants it), or a `bearer` token."""

    scheme: str
    secret: str = field(repr=False)
    user: str = ""

    def __post_init__(self) -> None:
        if self.scheme not in ("basic", "digest", "bearer"):
            raise Malformed(f'unknown scheme "{self.scheme}" of credentials; known: basic, digest, bearer')

    def header(self) -> str | None:
        """The Authorization header; None where the engine has to challenge first."""
        if self.scheme == "bearer":
            return f"Bearer {self.secret}"
        if self.scheme == "basic":
            return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        return None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's URLs and how to speak to it; without `update` it can only be read."""

    query: str
    update: str | None = None
    graph_store: str | None = None
    credentials: Credentials | None = None
    dialect: Dialect = STANDARD

    def __post_init__(self) -> None:
        for url in filter(None, (self.query, self.update, self.graph_store)):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
                raise Malformed(
                    f"{parts.scheme}://{parts.hostname or ''}{parts.path} is not the URL of a SPARQL endpoint; "
                    f"write http(s)://host/path, and give user and password as credentials"
                )


def dataset(
    dialect: Dialect,
    default: Sequence[str],
    named: Sequence[str],
    visible: Callable[[], Sequence[str]],
    *,
    has_clauses: bool = False,
) -> tuple[Sequence[str], Sequence[str]]:
    """The graphs to send with a query so that its dataset is what ours would be: none where the text names its own."""
    if not default and not named:
        if dialect.default_graph is None or has_clauses:
            return (), ()
        default, named = (dialect.default_graph.value,), visible()
    if dialect.needs_both_kinds:
        return default or (NOTHING,), named or (NOTHING,)
    return default, named


def merging_refused() -> Refused:
    """Of several default graphs, where the engine does not merge them."""
    return Refused(
        "this engine counts a triple once for each default graph that holds it: name one default graph, or ask with "
        "GRAPH"
    )
