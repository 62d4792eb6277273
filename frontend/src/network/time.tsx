/** The years that are seen. */
import type { Words } from "../words";
import type { Window } from "./graph";

interface Props {
  years: [number, number];
  window: Window;
  t: Words;
  change: (window: Window) => void;
}

export function Time({ years: [first, last], window: now, t, change }: Props) {
  const moved = (end: "from" | "to", year: number) => {
    const both = { ...now, [end]: year };
    const low = Math.min(both.from ?? first, both.to ?? last);
    const high = Math.max(both.from ?? first, both.to ?? last);
    const isAll = low === first && high === last;
    change({ ...now, from: isAll ? null : low, to: isAll ? null : high });
  };
  return (
    <fieldset class="time">
      <legend>{t("year")}</legend>
      {(["from", "to"] as const).map((end, at) => (
        <label key={end}>
          {at === 1 && t("until")} <input type="range" aria-label={t(at ? "last-year" : "first-year")} min={first} max={last} value={now[end] ?? (at ? last : first)} onInput={(event) => moved(end, Number(event.currentTarget.value))} />{" "}
          <output>{now[end] ?? (at ? last : first)}</output>
        </label>
      ))}
      <label><input type="checkbox" checked={now.undated} onChange={(event) => change({ ...now, undated: event.currentTarget.checked })} /> {t("undated")}</label>
      {(now.from !== null || now.to !== null) && <button type="button" onClick={() => location.reload()}>{t("table")}</button>}
    </fieldset>
  );
}
