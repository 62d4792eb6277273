/** The node that is chosen: its page, its ties, the steps around it, paths and where it is put. */
import type { Words } from "../words";
import { tiesOf, type Graph } from "./graph";
import { pageOf } from "./path";
import type { Picture } from "./state";

/** Neighbours that are listed. */
const LISTED = 12;
export const MOST_STEPS = 6;

interface Props {
  graph: Graph;
  node: number;
  picture: Picture;
  edges: Uint8Array;
  group: string | null;
  root: string;
  t: Words;
  n: (value: number) => string;
  go: (node: number | null) => void;
  change: (part: Partial<Picture>) => void;
}

export function Card({ graph, node, picture, edges, group, root, t, n, go, change }: Props) {
  const nodes = graph.drawing.nodes;
  const { steps, ends, pinned } = picture;
  const pin = () => {
    const other = new Map(pinned);
    if (!other.delete(node)) other.set(node, [graph.x[node]!, graph.y[node]!]);
    change({ pinned: other });
  };
  return (
    <div class="card" role="group" aria-label={nodes.label[node]}>
      <p><a href={pageOf(root, nodes.id[node]!)}>{nodes.label[node]}</a></p>
      <p class="detail">{t("ties", { n: n(nodes.degree[node]!) })}{group !== null && ` · ${group}`}</p>
      <p>
        {t("steps")}: <button type="button" aria-label={t("narrower")} disabled={!steps} onClick={() => change({ steps: steps - 1 })}>−</button>{" "}
        <output>{steps || t("whole")}</output>{" "}
        <button type="button" aria-label={t("wider")} disabled={steps >= MOST_STEPS} onClick={() => change({ steps: steps + 1 })}>+</button>
      </p>
      <p>
        <button type="button" aria-pressed={ends[0] === node} onClick={() => change({ ends: [node, ends[1]] })}>{t("from")}</button>{" "}
        <button type="button" aria-pressed={ends[1] === node} onClick={() => change({ ends: [ends[0], node] })}>{t("to")}</button>{" "}
        <button type="button" onClick={pin}>{t(pinned.has(node) ? "unpin" : "pin")}</button>{" "}
        <button type="button" onClick={() => go(null)}>{t("close")}</button>
      </p>
      <ul>{neighbours(graph, node, edges).slice(0, LISTED).map((other) => (
        <li key={other}><button type="button" class="plain" onClick={() => go(other)}>{nodes.label[other]}</button></li>
      ))}</ul>
    </div>
  );
}

function neighbours(graph: Graph, node: number, edges: Uint8Array): number[] {
  const weight = graph.drawing.edges.weight;
  return [...tiesOf(graph, node)]
    .filter(([, edge]) => edges[edge])
    .sort((a, b) => weight[b[1]]! - weight[a[1]]!)
    .map(([other]) => other);
}
