/** Answers as pictures; the table beside them says the same. */
import { useEffect, useRef } from "preact/hooks";
import { Lanes } from "../timeline/lanes";
import type { Words } from "../words";
import { placed } from "./forces";
import { bars, moments, spots, ties, type Table } from "./views";

/** Most that a picture shows. */
const MOST = 40;

const ONE_LANE = [{ name: "", label: "" }];

const short = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function Chart({ table, t }: { table: Table; t: Words }) {
  const found = bars(table)!;
  const shown = found.bars.slice(0, MOST);
  const least = Math.min(0, ...shown.map((bar) => bar.value));
  const most = Math.max(0, ...shown.map((bar) => bar.value)) || 1;
  const words = t("chart-of", { value: found.value, label: found.label });
  const at = (value: number) => 300 + (620 * (value - least)) / (most - least);
  const height = 24 * shown.length + 10;
  return (
    <figure class="picture">
      <svg viewBox={`0 0 1000 ${height}`} role="img" aria-label={words}>
        {shown.map((bar, row) => (
          <g key={row} class="bar">
            <title>{`${bar.label}: ${bar.value}`}</title>
            <text x="290" y={24 * row + 19} text-anchor="end">{short(bar.label, 38)}</text>
            <rect x={Math.min(at(0), at(bar.value))} y={24 * row + 5} width={Math.abs(at(bar.value) - at(0))} height="18" />
            <text x={at(Math.max(bar.value, 0)) + 6} y={24 * row + 19}>{bar.value}</text>
          </g>
        ))}
      </svg>
      <figcaption>{words}{found.bars.length > MOST && ` – ${t("cut", { n: MOST })}`}</figcaption>
    </figure>
  );
}

function Timeline({ table, t }: { table: Table; t: Words }) {
  const found = moments(table)!;
  return <Lanes moments={found} lanes={ONE_LANE} label={t("timeline")} t={(key, values) => t(`time.${key}`, values)} />;
}

function Ties({ table, t }: { table: Table; t: Words }) {
  const found = ties(table)!;
  const shown = found.ties.slice(0, 300);
  const names = new Map<string, string>();
  for (const tie of shown) {
    names.set(tie.source, tie.sourceLabel);
    names.set(tie.target, tie.targetLabel);
  }
  const ids = [...names.keys()];
  const index = new Map(ids.map((id, at) => [id, at]));
  const pairs = shown.map((tie) => [index.get(tie.source)!, index.get(tie.target)!] as const);
  const at = placed(ids.length, pairs, 1000, 600);
  const degree = ids.map((_, n) => pairs.filter((pair) => pair.includes(n)).length);
  const words = t("network-of", { n: found.ties.length, source: found.source, target: found.target });
  return (
    <figure class="picture">
      <svg viewBox="0 0 1000 600" role="img" aria-label={words}>
        <g class="lines">{pairs.map(([one, other], n) => <line key={n} x1={at[one]![0]} y1={at[one]![1]} x2={at[other]![0]} y2={at[other]![1]} />)}</g>
        {ids.map((id, n) => (
          <g key={id}>
            <circle class="dot c0" cx={at[n]![0]} cy={at[n]![1]} r={4 + Math.sqrt(degree[n]!) * 2}><title>{names.get(id)}</title></circle>
            {(ids.length <= 40 || degree[n]! > 2) && <text x={at[n]![0]} y={at[n]![1] + 20}>{short(names.get(id)!, 28)}</text>}
          </g>
        ))}
      </svg>
      <figcaption>{words}{found.ties.length > 300 && ` – ${t("cut", { n: 300 })}`}</figcaption>
    </figure>
  );
}

function World({ table, t }: { table: Table; t: Words }) {
  const into = useRef<HTMLDivElement>(null);
  const found = spots(table)!;
  const words = t("map-of", { n: found.length });
  useEffect(() => {
    let isWanted = true;
    void import("../map/svg").then(({ worldMap }) => {
      if (!isWanted) return;
      const counts = new Map<string, { n: number; text: string }>();
      for (const spot of found) {
        if (!spot.country) continue;
        const n = (counts.get(spot.country)?.n ?? 0) + spot.value;
        counts.set(spot.country, { n, text: `${spot.label}: ${n}` });
      }
      const points = found.flatMap((spot) =>
        spot.lat === undefined || spot.long === undefined ? [] : [{ lat: spot.lat, long: spot.long, text: spot.label }],
      );
      into.current?.replaceChildren(worldMap(words, counts, points));
    });
    return () => {
      isWanted = false;
    };
  }, [table]);
  return (
    <figure class="picture">
      <div ref={into} class="world-of" />
      <figcaption>{words}</figcaption>
    </figure>
  );
}

export const PICTURES = { chart: Chart, network: Ties, map: World, timeline: Timeline };
