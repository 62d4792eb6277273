/** The timeline of the page: what its table has, to move in. */
import { render } from "preact";
import { wordsOf } from "../words";
import { Lanes } from "./lanes";
import { keptView, reach, until, viewWritten, years, type Moment } from "./moments";

/** The things in the table beside the picture. */
function read(table: HTMLTableElement): Moment[] {
  return [...table.querySelectorAll<HTMLTableRowElement>("tbody tr[data-lane]")].flatMap((row): Moment[] => {
    const [start = "", end = ""] = [...row.querySelectorAll("time")].map((each) => each.dateTime);
    const [first, last] = [years(start), until(end || start)];
    const name = row.querySelector<HTMLElement>("th a, th span");
    if (first === null || last === null || !name) return [];
    return [{
      label: name.textContent.trim(),
      start: first,
      end: Math.max(last, first),
      text: end ? `${start} – ${end}` : start,
      lane: row.dataset.lane!,
      ...(name instanceof HTMLAnchorElement && { href: name.href }),
      ...(name.lang && { language: name.lang }),
    }];
  });
}

const root = document.getElementById("timeline");
const table = document.querySelector<HTMLTableElement>("table.dated");
if (root && table) {
  const moments = read(table);
  const labels = JSON.parse(root.dataset.lanes ?? "{}") as Record<string, string>;
  const lanes = Object.entries(labels)
    .filter(([name]) => moments.some((each) => each.lane === name))
    .map(([name, label]) => ({ name, label }));
  root.replaceChildren();
  render(
    <Lanes moments={moments} lanes={lanes} label={root.dataset.label ?? ""} t={wordsOf(root)} start={keptView(location.hash, reach(moments))} changed={(view, hidden) =>
      history.replaceState(null, "", `${location.pathname}${location.search}${viewWritten(view, hidden)}`)} />,
    root,
  );
  root.dataset.ready = "";
}
