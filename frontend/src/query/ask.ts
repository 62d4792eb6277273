/** Asks `/sparql`; what comes back is a table, a yes or no, RDF, or what was wrong. */
import type { Offered } from "./editor";
import { PREFIXES } from "./text";
import type { Row, Table } from "./views";

export type Answer =
  | { kind: "table"; table: Table }
  | { kind: "boolean"; boolean: boolean }
  | { kind: "graph"; text: string };

export class Wrong extends Error {
  constructor(
    message: string,
    readonly line?: number,
    readonly column?: number,
  ) {
    super(message);
  }
}

/** The answer; when the signal says stop, the connection is closed, and the service ends the query. */
export async function ask(root: string, query: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(`${root}/sparql`, {
    method: "POST",
    signal,
    headers: {
      "content-type": "application/sparql-query",
      accept: "application/sparql-results+json, text/turtle;q=0.9",
    },
    body: query,
  });
  if (!response.ok) {
    const told = (await response.json().catch(() => ({}))) as { detail?: string; line?: number; column?: number };
    throw new Wrong(told.detail ?? `${response.status} ${response.statusText}`, told.line, told.column);
  }
  if (response.headers.get("content-type")?.startsWith("text/turtle")) return { kind: "graph", text: await response.text() };
  const told = (await response.json()) as { boolean?: boolean; head: { vars: string[] }; results: { bindings: Row[] } };
  if (told.boolean !== undefined) return { kind: "boolean", boolean: told.boolean };
  return { kind: "table", table: { names: told.head.vars, rows: told.results.bindings } };
}

const TERMS = (language: string) => `
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
SELECT ?term ?kind (SAMPLE(?words) AS ?label) {
  VALUES ?kind { owl:Class owl:ObjectProperty owl:DatatypeProperty }
  ?term a ?kind . FILTER(isIRI(?term))
  OPTIONAL { ?term rdfs:label ?words . FILTER(LANG(?words) = "${language}") }
}
GROUP BY ?term ?kind ORDER BY ?term LIMIT 2000`;

/** The classes and properties that the ontology declares, by their prefixed names, with the common ones of others. */
export async function offered(root: string, language: string): Promise<Offered[]> {
  const answer = await ask(root, TERMS(language), AbortSignal.timeout(10_000));
  if (answer.kind !== "table") return [];
  const own = answer.table.rows.flatMap((row) => {
    const term = shortened(row.term!.value);
    return term ? [{ term, label: row.label?.value ?? "", isClass: row.kind!.value.endsWith("#Class") }] : [];
  });
  const common = "skos:prefLabel skos:altLabel skos:broader skos:Concept schema:startDate schema:endDate rdf:type rdfs:label dcterms:source oa:exact";
  const known = new Set(own.map((each) => each.term));
  const others = common.split(" ").filter((term) => !known.has(term));
  return [...own, ...others.map((term) => ({ term, label: "", isClass: /:[A-Z]/.test(term) }))];
}

export function shortened(iri: string): string | null {
  for (const [prefix, begin] of Object.entries(PREFIXES)) {
    if (iri.startsWith(begin) && /^[\w-]+$/.test(iri.slice(begin.length))) return `${prefix}:${iri.slice(begin.length)}`;
  }
  return null;
}
