/** What the editor knows of a query without parsing it: its variables, its prefixes, where a new prefix goes. */

/** Prefixes that the project uses, for terms whose prefix a query does not declare yet. */
export const PREFIXES: Record<string, string> = {
  sse: "https://w3id.org/sse-kg/ontology#",
  skos: "http://www.w3.org/2004/02/skos/core#",
  schema: "https://schema.org/",
  dcterms: "http://purl.org/dc/terms/",
  rdf: "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
  rdfs: "http://www.w3.org/2000/01/rdf-schema#",
  org: "http://www.w3.org/ns/org#",
  oa: "http://www.w3.org/ns/oa#",
  prov: "http://www.w3.org/ns/prov#",
  xsd: "http://www.w3.org/2001/XMLSchema#",
  sdgo: "http://metadata.un.org/sdg/ontology#",
};

export function variables(text: string): string[] {
  return [...new Set([...text.matchAll(/[?$]([\p{L}_0-9]+)/gu)].map((match) => `?${match[1]}`))].sort();
}

export function declared(text: string): Set<string> {
  return new Set([...text.matchAll(/\bPREFIX\s+([\w-]*):/gi)].map((match) => match[1]!));
}

/** The line that declares a prefix, with where it goes, if the query uses it and does not have it. */
export function missing(text: string, prefix: string): { at: number; line: string } | null {
  const iri = PREFIXES[prefix];
  if (!iri || declared(text).has(prefix)) return null;
  const last = [...text.matchAll(/^[ \t]*PREFIX[^\n]*\n?/gim)].pop();
  return { at: last ? last.index + last[0].length : 0, line: `PREFIX ${prefix}: <${iri}>\n` };
}

export const KEYWORDS = (
  "SELECT CONSTRUCT ASK DESCRIBE WHERE OPTIONAL FILTER UNION MINUS GRAPH BIND VALUES DISTINCT REDUCED PREFIX BASE LIMIT " +
  "OFFSET COUNT SUM AVG MIN MAX SAMPLE GROUP_CONCAT EXISTS LANG LANGMATCHES STR REGEX CONTAINS STRSTARTS BOUND COALESCE IF"
).split(" ").concat(["GROUP BY", "ORDER BY", "HAVING", "FILTER NOT EXISTS"]);
