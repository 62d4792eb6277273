/** Which pictures an answer can be, by the names and values of its variables. */
import { years, type Moment } from "../timeline/moments";

export interface Term {
  type: "uri" | "literal" | "bnode";
  value: string;
  datatype?: string;
  "xml:lang"?: string;
}
export type Row = Record<string, Term | undefined>;
export interface Table {
  names: string[];
  rows: Row[];
}

export type View = "table" | "chart" | "network" | "map" | "timeline";

export interface Bar {
  label: string;
  value: number;
}
export interface Tie {
  source: string;
  target: string;
  sourceLabel: string;
  targetLabel: string;
}
export interface Spot {
  label: string;
  value: number;
  country?: string;
  lat?: number;
  long?: number;
}
const SOURCES = ["source", "from", "subject", "s", "a", "one"];
const TARGETS = ["target", "to", "object", "o", "b", "other"];
const STARTS = ["start", "date", "from", "begin", "year", "issued", "time"];
const ENDS = ["end", "to", "until", "last"];
const COUNTRIES = ["country", "country_code", "countrycode", "code", "iso"];

const named = (table: Table, among: string[]) => table.names.find((name) => among.includes(name.toLowerCase()));

/** The name of a term for people: the variable beside it that has its label, the value, or the end of the IRI. */
export function label(row: Row, name: string): string {
  const beside = [`${name}_label`, `${name}Label`, `${name}_name`].map((each) => row[each]).find(Boolean);
  const term = beside ?? row[name];
  if (!term) return "";
  return term.type === "uri" ? decodeURIComponent(term.value.replace(/\/$/, "").split(/[#/]/).pop() ?? "") : term.value;
}

const isNumber = (term: Term | undefined) =>
  term?.type === "literal" && /#(integer|int|decimal|double|float|nonNegativeInteger)$/.test(term.datatype ?? "");

function numeric(table: Table): string | undefined {
  return table.names.filter((name) => !/^(lat|long|lon|lng|year)/i.test(name)).find((name) => {
    const given = table.rows.map((row) => row[name]).filter(Boolean);
    return given.length > 0 && given.every(isNumber);
  });
}

function labelled(table: Table, without: string | undefined): string | undefined {
  const others = table.names.filter((name) => name !== without && table.rows.some((row) => row[name]));
  return others.find((name) => /label|name|title/i.test(name)) ?? others[0];
}

export function bars(table: Table): { label: string; value: string; bars: Bar[] } | null {
  const value = numeric(table);
  const by = labelled(table, value);
  if (!value || !by) return null;
  const found = table.rows
    .filter((row) => row[value])
    .map((row) => ({ label: label(row, by), value: Number(row[value]!.value) }))
    .filter((bar) => Number.isFinite(bar.value));
  return found.length ? { label: by, value, bars: found } : null;
}

export function ties(table: Table): { source: string; target: string; ties: Tie[] } | null {
  const isThings = (name: string | undefined) => name && table.rows.some((row) => row[name]?.type === "uri");
  const [source, target] = [named(table, SOURCES), named(table, TARGETS)];
  if (!source || !target || !isThings(source) || !isThings(target)) return null;
  const found = table.rows
    .filter((row) => row[source] && row[target])
    .map((row) => ({
      source: row[source]!.value,
      target: row[target]!.value,
      sourceLabel: label(row, source),
      targetLabel: label(row, target),
    }));
  return found.length ? { source, target, ties: found } : null;
}

export function moments(table: Table): Moment[] | null {
  const start = named(table, STARTS);
  if (!start) return null;
  const end = named({ ...table, names: table.names.filter((name) => name !== start) }, ENDS);
  const by = labelled({ ...table, names: table.names.filter((name) => name !== end) }, start);
  const found = table.rows.flatMap((row) => {
    const first = row[start] && years(row[start].value);
    if (first == null) return [];
    const last = end && row[end] ? years(row[end].value) : null;
    const text = end && row[end] ? `${row[start]!.value} – ${row[end].value}` : row[start]!.value;
    return [{ label: by ? label(row, by) : row[start]!.value, start: first, end: Math.max(last ?? first, first), text }];
  });
  return found.length ? found.sort((a, b) => a.start - b.start) : null;
}

export function spots(table: Table): Spot[] | null {
  const value = numeric(table);
  const [lat, long] = [named(table, ["lat", "latitude"]), named(table, ["long", "lon", "lng", "longitude"])];
  const country = named(table, COUNTRIES);
  const by = labelled({ ...table, names: table.names.filter((name) => name !== lat && name !== long) }, value);
  const found = table.rows.flatMap((row): Spot[] => {
    const about = { label: by ? label(row, by) : "", value: value && row[value] ? Number(row[value].value) : 1 };
    if (lat && long && row[lat] && row[long]) {
      const [y, x] = [Number(row[lat].value), Number(row[long].value)];
      if (Math.abs(y) <= 90 && Math.abs(x) <= 180) return [{ ...about, lat: y, long: x }];
    }
    const code = country && row[country]?.value;
    return code && /^[A-Z]{2}$/.test(code) ? [{ ...about, country: code }] : [];
  });
  return found.length ? found : null;
}

/** The views that an answer has; a table always. */
export function views(table: Table): View[] {
  const found: View[] = ["table"];
  if (bars(table)) found.push("chart");
  if (ties(table)) found.push("network");
  if (spots(table)) found.push("map");
  if (moments(table)) found.push("timeline");
  return found;
}
