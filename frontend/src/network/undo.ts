/** What was done, and undone: every state there was before, and after. */

/** States that are remembered. */
const MOST = 200;
/** Milliseconds in which changes of one kind, such as those of a slider that is drawn, are one change. */
const TOGETHER = 800;

export interface Past<T> {
  before: readonly T[];
  now: T;
  after: readonly T[];
  last: { kind: string; at: number } | null;
}

export const begun = <T>(now: T): Past<T> => ({ before: [], now, after: [], last: null });

/** A further state. With a `kind`, changes of it that follow each other at once are undone together. */
export function changed<T>(past: Past<T>, now: T, kind = "", at = Date.now()): Past<T> {
  const goesOn = kind !== "" && past.last?.kind === kind && at - past.last.at < TOGETHER;
  const before = goesOn ? past.before : [...past.before, past.now].slice(-MOST);
  return { before, now, after: [], last: { kind, at } };
}

export function undone<T>(past: Past<T>): Past<T> {
  const now = past.before.at(-1);
  if (now === undefined) return past;
  return { before: past.before.slice(0, -1), now, after: [past.now, ...past.after], last: null };
}

export function redone<T>(past: Past<T>): Past<T> {
  const [now, ...after] = past.after;
  if (now === undefined) return past;
  return { before: [...past.before, past.now], now, after, last: null };
}
