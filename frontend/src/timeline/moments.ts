/** Dated things on a line of years: where each stands, and what is seen of them. */

export interface Moment {
  label: string;
  /** Years, with their parts. */
  start: number;
  end: number;
  /** The dates as they are written. */
  text: string;
  lane?: string;
  href?: string;
  language?: string;
}

/** The first and the last year that are looked at. */
export type View = readonly [number, number];

export interface Mark {
  moment: Moment;
  x: number;
  width: number;
  row: number;
  words: string;
  /** Whether the words stand before the mark, for want of room behind it. */
  isTurned: boolean;
}

export interface Band {
  lane: string;
  rows: number;
  marks: Mark[];
}

const [LETTER, LONGEST] = [7.2, 40];
/** The least that is looked at: a few days. */
const LEAST = 0.02;

/** A date as a number of years; null where it is none. */
export function years(text: string): number | null {
  const match = /^(-?\d{4})(?:-(\d{2})(?:-(\d{2}))?)?/.exec(text);
  if (!match) return null;
  return Number(match[1]) + (Number(match[2] ?? 1) - 1) / 12 + (Number(match[3] ?? 1) - 1) / 366;
}

/** Where a date ends: a year or a month stands for all its days. */
export function until(text: string): number | null {
  const from = years(text);
  if (from === null) return null;
  return from + (/^-?\d{4}-\d{2}-\d{2}/.test(text) ? 1 / 366 : /^-?\d{4}-\d{2}/.test(text) ? 1 / 12 : 1);
}

/** All years that there are, in whole years. */
export function reach(moments: readonly Moment[]): View {
  let [first, last, latest] = [Infinity, -Infinity, -Infinity];
  for (const { start, end } of moments) {
    first = Math.min(first, start);
    latest = Math.max(latest, start);
    last = Math.max(last, end);
  }
  if (first > last) return [0, 1];
  return [Math.floor(first), Math.max(Math.ceil(last), Math.floor(latest) + 1)];
}

/** The view nearer or farther, around a share of it; never beyond what there is. */
export function zoomed([from, to]: View, factor: number, [first, last]: View, around = 0.5): View {
  const span = Math.min(Math.max((to - from) / factor, LEAST), last - first);
  return moved([from + around * (to - from - span), from + around * (to - from - span) + span], 0, [first, last]);
}

/** The view by a share of it earlier or later; never beyond what there is. */
export function moved([from, to]: View, share: number, [first, last]: View): View {
  const span = to - from;
  const start = Math.min(Math.max(from + share * span, first), last - span);
  return [start, start + span];
}

/** The years, or months of them, that are written above; at most so many. */
export function ticks([from, to]: View, most: number): [number, string][] {
  const months = (to - from) * 12;
  const step = [1, 3, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000].find((each) => months / each <= most) ?? 12000;
  const found: [number, string][] = [];
  for (let month = Math.ceil((from * 12) / step) * step; month / 12 <= to; month += step) {
    const year = Math.floor(month / 12);
    found.push([month / 12, step < 12 ? `${year}-${String(month - 12 * year + 1).padStart(2, "0")}` : String(year)]);
  }
  return found;
}

/** The words, or as many whole ones as there is room for. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const part = text.slice(0, most - 1);
  const space = part.lastIndexOf(" ");
  return `${(space > most / 2 ? part.slice(0, space) : part).trimEnd()}…`;
}

/** What is seen of the moments, in lanes, those that overlap below each other; at most so many. */
export function laid(
  moments: readonly Moment[],
  lanes: readonly string[],
  [from, to]: View,
  width: number,
  most: number,
): { bands: Band[]; seen: number; drawn: number } {
  const scale = width / (to - from);
  const inside = moments.filter((each) => each.end >= from && each.start <= to && lanes.includes(each.lane ?? ""));
  const drawn = inside.slice(0, most);
  const bands = lanes.map((lane): Band => {
    const ends: number[] = []; // how far each row is taken
    const marks = drawn.filter((each) => (each.lane ?? "") === lane).map((moment): Mark => {
      const x = Math.max((moment.start - from) * scale, 0);
      const right = Math.min((moment.end - from) * scale, width);
      const long = Math.max(Math.min(LONGEST, Math.floor((width - 40) / LETTER)), 8);
      const words = cut(moment.label, long);
      const room = words.length * LETTER + 16;
      const isTurned = right + room > width && x > room;
      const begins = isTurned ? x - room : x - 6;
      let row = ends.findIndex((end) => end <= begins);
      if (row < 0) row = ends.length;
      ends[row] = isTurned ? right + 8 : right + room;
      return { moment, x, width: right - x, row, words, isTurned };
    });
    return { lane, rows: ends.length, marks };
  });
  return { bands: bands.filter((each) => each.marks.length), seen: inside.length, drawn: drawn.length };
}

/** The view and the lanes left out, from behind the hash. */
export function keptView(hash: string, whole: View): { view: View | null; hidden: ReadonlySet<string> } {
  const behind = new URLSearchParams(hash.slice(1));
  const [from, to] = (behind.get("years") ?? "").split(" ").filter(Boolean).map(Number);
  const isView = from !== undefined && to !== undefined && to - from >= LEAST / 2 && from < whole[1] && to > whole[0];
  return {
    view: isView ? [Math.max(from, whole[0]), Math.min(to, whole[1])] : null,
    hidden: new Set(behind.getAll("hide")),
  };
}

export function viewWritten(view: View | null, hidden: ReadonlySet<string>): string {
  const behind = new URLSearchParams();
  if (view) behind.set("years", view.map((year) => Number(year.toFixed(3))).join(" "));
  for (const lane of hidden) behind.append("hide", lane);
  const text = behind.toString();
  return text && `#${text}`;
}
