/** Asks the service for the shortest path between two nodes, with what each step rests on. */
export interface Step {
  from: string;
  to: string;
  from_label: string;
  to_label: string;
  evidence: { iri: string; kind: string | null }[];
}

export interface Path {
  nodes: string[];
  steps: Step[];
}

/** The address of a measure of the network that a drawing is of, with the same filters. */
export function measureAddress(source: string, measure: string, more: Record<string, string>): string {
  const [path, query] = source.split("?");
  const kept = new URLSearchParams(query);
  kept.delete("format");
  for (const [name, value] of Object.entries(more)) kept.set(name, value);
  return `${path}/${measure}?${kept}`;
}

/** What the service answers in the end, if it makes a job of it too; its own words where it refuses. */
export async function answered(address: string, signal?: AbortSignal): Promise<unknown> {
  let response = await fetch(address, { headers: { accept: "application/json" }, ...(signal && { signal }) });
  while (response.status === 202) {
    const job = (await response.json()) as { url: string };
    await new Promise((go) => setTimeout(go, 500));
    response = await fetch(new URL(`${new URL(job.url).pathname}/result`, location.href), { ...(signal && { signal }) });
  }
  const told = (await response.json()) as { detail?: string };
  if (!response.ok) throw new Error(told.detail ?? response.statusText);
  return told;
}

export async function shortest(source: string, from: string, to: string): Promise<Path | null> {
  const address = measureAddress(source, "paths", { origin: from, destination: to, count: "1" });
  const told = (await answered(address)) as { data: Path[] };
  return told.data[0] ?? null;
}

/** Where a thing has its page: our own things by their path, others by their IRI; in the languages that are chosen now. */
export function pageOf(root: string, iri: string, here: string = location.search): string {
  const asked = new URLSearchParams(here);
  const page = pathOf(root, iri);
  const chosen = ["lang", "clang"].flatMap((name) => (asked.has(name) ? [`${name}=${encodeURIComponent(asked.get(name)!)}`] : []));
  return [page, ...chosen].reduce((address, each) => `${address}${address.includes("?") ? "&" : "?"}${each}`);
}

function pathOf(root: string, iri: string): string {
  const own = "https://w3id.org/sse-kg/id/";
  const local = iri.startsWith(own) ? iri.slice(own.length) : "";
  return /^[^/?#]+\/[^?#]+$/.test(local)
    ? `${root}/page/${local}`
    : `${root}/describe?iri=${encodeURIComponent(iri)}`;
}
