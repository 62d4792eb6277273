/** Lanes of dated things over the years: nearer and farther, earlier and later, and some lanes alone. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Words } from "../words";
import { laid, moved, reach, ticks, zoomed, type Moment, type View } from "./moments";
import "./lanes.css";

/** Most things that are drawn at once; the table has all. */
const MOST = 150;
const [ROW, HEAD] = [26, 28];

interface Props {
  /** The things, the earliest first. */
  moments: readonly Moment[];
  lanes: readonly { name: string; label: string }[];
  label: string;
  t: Words;
  start?: { view: View | null; hidden: ReadonlySet<string> };
  changed?: (view: View | null, hidden: ReadonlySet<string>) => void;
}

export function Lanes({ moments, lanes, label, t, start, changed }: Props) {
  const whole = reach(moments);
  const [own, look] = useState<View | null>(start?.view ?? null);
  const [hidden, hide] = useState<ReadonlySet<string>>(start?.hidden ?? new Set());
  const [pointed, point] = useState<Moment | null>(null);
  const [width, resize] = useState(1000);
  const stage = useRef<HTMLDivElement>(null);
  const view = own ?? whole;
  const shown = lanes.filter(({ name }) => !hidden.has(name)).map(({ name }) => name);
  const { bands, seen, drawn } = laid(moments, shown, view, width, MOST);
  const now = useRef({ view, whole, width });
  now.current = { view, whole, width };
  const to = (next: View) => look(next[0] <= whole[0] && next[1] >= whole[1] ? null : next);
  const latest = useRef(to);
  latest.current = to;

  useEffect(() => changed?.(own, hidden), [own, hidden]);
  useEffect(() => {
    const element = stage.current!;
    const sized = new ResizeObserver(() => resize(Math.max(element.clientWidth, 240)));
    sized.observe(element);
    let held: number | null = null;
    const down = (event: PointerEvent) => {
      if (event.button === 0 && !(event.target as Element).closest("a")) held = event.clientX;
    };
    const drag = (event: PointerEvent) => {
      if (held === null) return;
      const { view, whole, width } = now.current;
      latest.current(moved(view, (held - event.clientX) / width, whole));
      held = event.clientX;
    };
    const up = () => (held = null);
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element) return; // the page scrolls
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const { view, whole } = now.current;
      latest.current(zoomed(view, Math.exp(-event.deltaY / 400), whole, (event.clientX - box.left) / (box.width || 1)));
    };
    element.addEventListener("pointerdown", down);
    addEventListener("pointermove", drag);
    addEventListener("pointerup", up);
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      sized.disconnect();
      removeEventListener("pointermove", drag);
      removeEventListener("pointerup", up);
    };
  }, []);

  const acts: Record<string, () => void> = {
    ArrowLeft: () => to(moved(view, -0.2, whole)),
    ArrowRight: () => to(moved(view, 0.2, whole)),
    "+": () => to(zoomed(view, 1.5, whole)),
    "-": () => to(zoomed(view, 1 / 1.5, whole)),
    "0": () => look(null),
  };
  const keys = (event: KeyboardEvent) => {
    const act = acts[event.key === "=" ? "+" : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const at = (year: number) => ((year - view[0]) / (view[1] - view[0])) * width;
  const height = HEAD + bands.reduce((sum, each) => sum + each.rows * ROW + 26, 0) + 4;
  let top = HEAD;
  const names = new Map(lanes.map((each) => [each.name, each.label]));
  return (
    <div class="lanes">
      <p class="tools">
        <button type="button" aria-label={t("in")} onClick={acts["+"]}>+</button>
        <button type="button" aria-label={t("out")} onClick={acts["-"]}>−</button>
        <button type="button" aria-label={t("earlier")} onClick={acts.ArrowLeft}>←</button>
        <button type="button" aria-label={t("later")} onClick={acts.ArrowRight}>→</button>
        <button type="button" onClick={() => look(null)}>{t("fit")}</button>
        {lanes.length > 1 && lanes.map(({ name, label }) => (
          <button key={name} type="button" aria-pressed={!hidden.has(name)} onClick={() => {
            const other = new Set(hidden);
            if (!other.delete(name)) other.add(name);
            hide(other);
          }}>{label}</button>
        ))}
      </p>
      <div ref={stage} class="stage" tabIndex={0} role="group" aria-label={`${label}. ${t("keys")}`} onKeyDown={keys}>
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="group" aria-label={label}>
          {ticks(view, width / 80).filter(([year]) => at(year) <= width - 24).map(([year, text]) => (
            <g key={text} class="tick"><line x1={at(year)} x2={at(year)} y1="20" y2="100%" /><text x={Math.max(at(year), 24)} y="14">{text}</text></g>
          ))}
          {bands.map(({ lane, rows, marks }) => {
            const from = top;
            const body = from + (lanes.length > 1 ? 22 : 4);
            top += rows * ROW + 26;
            return (
              <g key={lane}>
                <line class="lane" x1="0" x2={width} y1={from} y2={from} />
                {lanes.length > 1 && <text class="lane-name" x="6" y={from + 17}>{names.get(lane)}</text>}
                {marks.map(({ moment, x, width: wide, row, words, isTurned }, n) => {
                  const y = body + row * ROW + ROW / 2;
                  const text = <text x={isTurned ? x - 9 : x + Math.max(wide, 6) + 6} y={y + 5} text-anchor={isTurned ? "end" : "start"} lang={moment.language}>{words}</text>;
                  return (
                    <g key={n} class="mark" onPointerEnter={() => point(moment)} onFocusIn={() => point(moment)}>
                      <title>{`${moment.label}: ${moment.text}`}</title>
                      {wide > 6 ? <rect x={x} y={y - 5} width={wide} height="10" rx="4" /> : <circle cx={x + wide / 2} cy={y} r="5" />}
                      {moment.href ? <a href={moment.href} aria-label={`${moment.label}, ${moment.text}`}>{text}</a> : text}
                    </g>
                  );
                })}
              </g>
            );
          })}
        </svg>
      </div>
      <p class="detail pointed">{pointed ? <><strong lang={pointed.language}>{pointed.label}</strong> · {pointed.text}{lanes.length > 1 && ` · ${names.get(pointed.lane ?? "")}`}</> : t("point")}</p>
      <p class="detail" role="status">
        {t("counts", { n: seen, from: Math.floor(view[0]), to: Math.ceil(view[1]) - 1 })} {drawn < seen && <strong>{t("cut", { n: drawn })}</strong>}
      </p>
    </div>
  );
}
