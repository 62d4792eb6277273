/** The picture as SVG, for other programs. */
import type { Camera, Look } from "./camera";
import type { Palette } from "./canvas";

const MOST_NAMES = 40;

/** What is seen now; `order` has the nodes, the largest first. */
export function svg(look: Look, camera: Camera, palette: Palette, order: Int32Array): string {
  const { graph, seen, radius, colour } = look;
  const escape = (text: string) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const place = (node: number) => [camera.x(graph, node).toFixed(1), camera.y(graph, node).toFixed(1)];
  const parts = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${camera.width} ${camera.height}">`];
  parts.push(`<rect width="100%" height="100%" fill="${palette.ground}"/>`);
  for (const edge of graph.byWeight) {
    if (!seen.edges[edge]) continue;
    const [[x1, y1], [x2, y2]] = [place(graph.source[edge]!), place(graph.target[edge]!)];
    parts.push(`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${palette.edge}" opacity=".5"/>`);
  }
  for (let i = 0; i < radius.length; i++) {
    if (!seen.nodes[i]) continue;
    const [x, y] = place(i);
    const fill = colour[i]! < 0 ? palette.none : palette.colours[colour[i]!]!;
    const r = radius[i]!;
    const title = `<title>${escape(graph.drawing.nodes.label[i]!)}</title>`;
    parts.push(
      graph.drawing.nodes.mode[i]
        ? `<rect x="${(Number(x) - r).toFixed(1)}" y="${(Number(y) - r).toFixed(1)}" width="${(2 * r).toFixed(1)}" height="${(2 * r).toFixed(1)}" fill="${fill}">${title}</rect>`
        : `<circle cx="${x}" cy="${y}" r="${r.toFixed(1)}" fill="${fill}">${title}</circle>`,
    );
  }
  let named = 0;
  for (const node of order) {
    if (!seen.nodes[node]) continue;
    if (named++ >= MOST_NAMES) break;
    const [x, y] = place(node);
    const below = (Number(y) + radius[node]! + 12).toFixed(1);
    const text = escape(graph.drawing.nodes.label[node]!);
    parts.push(`<text x="${x}" y="${below}" text-anchor="middle" font-size="12" fill="${palette.text}">${text}</text>`);
  }
  return [...parts, "</svg>"].join("\n");
}
