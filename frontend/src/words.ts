/** The words of an island: the catalogue of the pages, as the page hands them over. */
export type Words = (key: string, values?: Record<string, string | number>) => string;

export function wordsOf(island: HTMLElement): Words {
  const entries = JSON.parse(island.dataset.words ?? "{}") as Record<string, string>;
  return (key, values = {}) =>
    (entries[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A whole number as the page's language writes it. */
export function numbers(language: string): (n: number) => string {
  const format = new Intl.NumberFormat(language);
  return (n) => format.format(n);
}
