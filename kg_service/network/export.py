"""A network in the formats of other programs, with names, positions, communities and the times of its ties."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from kg_service.network import drawing, parquet
from kg_service.network.communities import communities
from kg_service.network.graph import Network, evidence
from kg_service.network.layout import layout
from kg_service.network.names import Names
from kg_service.network.outcome import Context
from kg_service.network.result import about, citation

#: Colours that can be told apart, for communities (Okabe & Ito 2008, then lighter ones).
_COLOURS = ("0072b2", "e69f00", "009e73", "cc79a7", "d55e00", "56b4e9", "f0e442", "999999", "88ccee", "ddaa77")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A network with all that is shown of it; `ties` are the things behind each edge."""

    network: Network
    #: What each node is called, and in which language.
    labels: list[tuple[str, str]]
    degree: list[int]
    community: list[int]
    x: list[float]
    y: list[float]
    ties: list[list[dict[str, Any]]]
    groups: dict[str, dict[str, Any]]
    meta: dict[str, Any]

    def nodes(self) -> list[dict[str, Any]]:
        modes = self.network.projection.modes
        return [
            {
                "id": iri,
                "label": self.labels[place][0],
                "mode": modes[min(int(self.network.mode[place]), len(modes) - 1)],
                "degree": self.degree[place],
                "community": self.community[place],
                "x": round(self.x[place], 4),
                "y": round(self.y[place], 4),
            }
            for place, iri in enumerate(self.network.nodes)
        ]

    def edges(self) -> list[dict[str, Any]]:
        network = self.network
        return [
            {
                "source": network.nodes[tail],
                "target": network.nodes[head],
                "weight": weight,
                "kinds": sorted({thing["kind"] for thing in things if thing["kind"]}),
                "start": min((thing["start"] for thing in things if thing["start"]), default=None),
                "end": max((thing["end"] for thing in things if thing["end"]), default=None),
                "evidence": things,
            }
            for tail, head, weight, things in zip(
                network.tails.tolist(), network.heads.tolist(), network.weights.tolist(), self.ties, strict=True
            )
        ]


def written(job: dict[str, Any], network: Network, names: Names, context: Context) -> tuple[str, bytes]:
    """The media type, and the network written that way."""
    if job["format"] == "parquet":
        return "application/zip", parquet.written(job, network, names)
    media_type, write = FORMATS[job["format"]]
    places = layout(network, Context({"seed": 1}, {}, context.progress, (), context.kept))
    settings = {"algorithm": "leiden", "resolution": 1.0, "runs": 3, "weighted": True, "seed": 1}
    groups = communities(network, Context(settings))
    degree = np.bincount(network.tails, minlength=network.size) + np.bincount(network.heads, minlength=network.size)
    context.progress(0.9, "writing")
    meta = about(job, network)
    drawn = _Drawn(
        network,
        [names.named(node, job["languages"]) for node in network.nodes],
        degree.tolist(),
        groups.columns["value"].tolist(),
        places.columns["x"].tolist(),
        places.columns["y"].tolist(),
        evidence(network),
        drawing.groups(network, names, context, job["languages"]) if job["format"] == "drawing" else {},
        meta | {"citation": citation(job, meta), "modularity": groups.values["modularity"]},
    )
    return media_type, write(drawn).encode()


def _json(drawn: _Drawn) -> str:
    return json.dumps({"nodes": drawn.nodes(), "edges": drawn.edges(), "meta": drawn.meta}, ensure_ascii=False)


def _drawing(drawn: _Drawn) -> str:
    nodes = [node | {"language": drawn.labels[place][1]} for place, node in enumerate(drawn.nodes())]
    return drawing.drawing(drawn.network, nodes, drawn.ties, drawn.groups, drawn.meta)


def _cytoscape(drawn: _Drawn) -> str:
    """https://js.cytoscape.org/#notation/elements-json"""
    nodes = [{"data": node, "position": {"x": node["x"], "y": node["y"]}} for node in drawn.nodes()]
    edges = [{"data": {"id": f"e{place}"} | edge} for place, edge in enumerate(drawn.edges())]
    return json.dumps({"data": drawn.meta, "elements": {"nodes": nodes, "edges": edges}}, ensure_ascii=False)


def _json_ld(drawn: _Drawn) -> str:
    """Each tie as an rdf:Statement of its own, because a tie has weight, time and evidence."""
    sse = "https://w3id.org/sse-kg/ontology#"
    context = {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "schema": "https://schema.org/",
        "prov": "http://www.w3.org/ns/prov#",
        "source": {"@id": "rdf:subject", "@type": "@id"},
        "target": {"@id": "rdf:object", "@type": "@id"},
        "weight": "rdf:value",
        "start": "schema:startDate",
        "end": "schema:endDate",
        "evidence": {"@id": "prov:wasDerivedFrom", "@type": "@id"},
        "kinds": {"@id": "http://purl.org/dc/terms/type", "@type": "@id"},
        "label": {"@id": "rdfs:label", "@language": "en"},
        "citation": "http://purl.org/dc/terms/bibliographicCitation",
        "generation": "schema:version",
        "sse": sse,
    }
    nodes = [{"@id": node["id"], "label": node["label"]} for node in drawn.nodes()]
    edges = [
        {"@type": "rdf:Statement"}
        | {key: edge[key] for key in ("source", "target", "weight", "start", "end", "kinds") if edge[key]}
        | {"evidence": [thing["iri"] for thing in edge["evidence"] if thing["iri"]]}
        for edge in drawn.edges()
    ]
    meta = {key: drawn.meta[key] for key in ("generation", "citation")}
    return json.dumps({"@context": context, "@graph": [meta, *nodes, *edges]}, ensure_ascii=False)


def _graphml(drawn: _Drawn) -> str:
    """http://graphml.graphdrawing.org/"""
    node_keys = {"label": "string", "mode": "string", "degree": "int", "community": "int", "x": "double", "y": "double"}
    edge_keys = {"weight": "double"} | dict.fromkeys(("start", "end", "kinds", "evidence"), "string")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    for what, keys in (("node", node_keys), ("edge", edge_keys)):
        lines += [f'<key id="{what}-{k}" for="{what}" attr.name="{k}" attr.type="{kind}"/>' for k, kind in keys.items()]
    lines.append('<key id="citation" for="graph" attr.name="citation" attr.type="string"/>')
    lines.append(f'<graph edgedefault="{"directed" if drawn.network.is_directed else "undirected"}">')
    lines.append(f'<data key="citation">{_text(drawn.meta["citation"])}</data>')
    for node in drawn.nodes():
        lines.append(f"<node id={_attribute(node['id'])}>{_data('node', node, node_keys)}</node>")
    for edge in drawn.edges():
        told = edge | {"kinds": " ".join(edge["kinds"]), "evidence": " ".join(t["iri"] for t in edge["evidence"])}
        ends = f"source={_attribute(edge['source'])} target={_attribute(edge['target'])}"
        lines.append(f"<edge {ends}>{_data('edge', told, edge_keys)}</edge>")
    return "\n".join([*lines, "</graph>", "</graphml>", ""])


def _data(what: str, values: dict[str, Any], keys: dict[str, str]) -> str:
    return "".join(
        f'<data key="{what}-{key}">{_text(str(values[key]))}</data>' for key in keys if values[key] is not None
    )


def _gexf(drawn: _Drawn) -> str:
    """GEXF 1.3 (https://gexf.net/): positions and colours by viz, time by spells, a spell for each thing that ties."""
    directed = "directed" if drawn.network.is_directed else "undirected"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<gexf xmlns="http://gexf.net/1.3" xmlns:viz="http://gexf.net/1.3/viz" version="1.3">',
        f"<meta><creator>sse-kg</creator><description>{_text(drawn.meta['citation'])}</description></meta>",
        f'<graph defaultedgetype="{directed}" mode="dynamic" timeformat="date" timerepresentation="interval">',
        '<attributes class="node"><attribute id="mode" title="mode" type="string"/>'
        '<attribute id="community" title="community" type="integer"/></attributes>',
        '<attributes class="edge"><attribute id="evidence" title="evidence" type="string"/></attributes>',
        "<nodes>",
    ]
    for node in drawn.nodes():
        red, green, blue = bytes.fromhex(_COLOURS[node["community"] % len(_COLOURS)])
        lines.append(
            f"<node id={_attribute(node['id'])} label={_attribute(node['label'])}><attvalues>"
            f'<attvalue for="mode" value={_attribute(node["mode"])}/>'
            f'<attvalue for="community" value="{node["community"]}"/></attvalues>'
            f'<viz:color r="{red}" g="{green}" b="{blue}"/>'
            f'<viz:position x="{node["x"] * 100:.2f}" y="{node["y"] * 100:.2f}" z="0"/>'
            f'<viz:size value="{10 + node["degree"] ** 0.5:.2f}"/></node>'
        )
    lines += ["</nodes>", "<edges>"]
    for place, edge in enumerate(drawn.edges()):
        spells = {(thing["start"], thing["end"]) for thing in edge["evidence"] if thing["start"] or thing["end"]}
        told = "".join(_spell(start, end) for start, end in sorted(spells, key=str))
        things = " ".join(thing["iri"] for thing in edge["evidence"])
        lines.append(
            f'<edge id="{place}" source={_attribute(edge["source"])} target={_attribute(edge["target"])} '
            f'weight="{edge["weight"]:g}"><attvalues><attvalue for="evidence" value={_attribute(things)}/></attvalues>'
            f"{f'<spells>{told}</spells>' if told else ''}</edge>"
        )
    return "\n".join([*lines, "</edges>", "</graph>", "</gexf>", ""])


def _spell(start: str | None, end: str | None) -> str:
    first = f' start="{_whole_day(start, "-01-01")}"' if start else ""
    last = f' end="{_whole_day(end, "-12-28")}"' if end else ""
    return f"<spell{first}{last}/>"


def _whole_day(date: str, rest: str) -> str:
    """A year or month as a day; of a month's end the last that every month has."""
    return (date + rest[len(date) - 4 :])[:10]


def _pajek(drawn: _Drawn) -> str:
    """The .net format: http://mrvar.fdv.uni-lj.si/pajek/"""
    span = max([abs(value) for value in (*drawn.x, *drawn.y)], default=1) or 1
    lines = [f"*Vertices {drawn.network.size}"]
    for place, (label, _) in enumerate(drawn.labels):
        quoted = label.replace('"', "'").replace("\n", " ")
        x, y = (0.5 + drawn.x[place] / span / 2, 0.5 + drawn.y[place] / span / 2)
        lines.append(f'{place + 1} "{quoted}" {x:.4f} {y:.4f}')
    lines.append("*Arcs" if drawn.network.is_directed else "*Edges")
    ends = zip(drawn.network.tails + 1, drawn.network.heads + 1, drawn.network.weights, strict=True)
    return "\n".join([*lines, *(f"{tail} {head} {weight:g}" for tail, head, weight in ends), ""])


def _csv(rows: list[dict[str, Any]], heads: tuple[str, ...]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, heads, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _csv_nodes(drawn: _Drawn) -> str:
    return _csv(drawn.nodes(), ("id", "label", "mode", "degree", "community", "x", "y"))


def _csv_edges(drawn: _Drawn) -> str:
    rows = [
        edge
        | {
            "kinds": " ".join(edge["kinds"]),
            "certainty": " ".join(sorted({t["certainty"] for t in edge["evidence"] if t["certainty"]})),
            "documents": " ".join(sorted({d for t in edge["evidence"] for d in t["documents"]})),
            "evidence": " ".join(t["iri"] for t in edge["evidence"]),
        }
        for edge in drawn.edges()
    ]
    return _csv(rows, ("source", "target", "weight", "kinds", "start", "end", "certainty", "documents", "evidence"))


def _text(value: str) -> str:
    return escape(_allowed(value))


def _attribute(value: str) -> str:
    return quoteattr(_allowed(value))


def _allowed(value: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c for c in value if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe" or c > "\uffff")


#: The formats by name, with their media types.
FORMATS: dict[str, tuple[str, Callable[[_Drawn], str]]] = {
    "json": ("application/json", _json),
    "graphml": ("application/graphml+xml", _graphml),
    "gexf": ("application/gexf+xml", _gexf),
    "pajek": ("text/x-pajek", _pajek),
    "csv-nodes": ("text/csv", _csv_nodes),
    "csv-edges": ("text/csv", _csv_edges),
    "cytoscape": ("application/vnd.cytoscape+json", _cytoscape),
    "json-ld": ("application/ld+json", _json_ld),
    "drawing": ("application/json", _drawing),
}
