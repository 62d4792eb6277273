/** A map of the world as an SVG element: shades by count, a dot where a country is too small to be seen. */
import { HEIGHT, WIDTH, countries, place, shade } from "./world";

export interface Counted {
  n: number;
  text: string;
  href?: string;
}

export interface Point {
  lat: number;
  long: number;
  text: string;
}

const SVG = "http://www.w3.org/2000/svg";

function element(name: string, attributes: Record<string, string | number>, ...inside: (Node | string)[]): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...inside);
  return made;
}

/** The map; `counts` are by the two letters of a country. Countries with an address are links. */
export function worldMap(title: string, counts: ReadonlyMap<string, Counted>, points: readonly Point[] = []): SVGElement {
  const most = Math.max(0, ...[...counts.values()].map((each) => each.n));
  const hasLinks = [...counts.values()].some((each) => each.href);
  const svg = element("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    class: "world",
    role: hasLinks ? "group" : "img",
    "aria-label": title,
  });
  const dots: SVGElement[] = [];
  for (const country of countries()) {
    const counted = counts.get(country.code);
    const name = counted?.text ?? country.name;
    const level = `s${shade(counted?.n ?? 0, most)}`;
    const shape = element("path", { d: country.path, class: `country ${level}` }, element("title", {}, name));
    const dot =
      counted && country.isSmall
        ? element("circle", { cx: country.x.toFixed(1), cy: country.y.toFixed(1), r: 5, class: `dot-small ${level}` }, element("title", {}, name))
        : null;
    if (counted?.href) {
      const link = element("a", { href: counted.href, "aria-label": name }, shape);
      if (dot) link.append(dot);
      dots.push(link); // after the others, so that its outline lies on top
    } else {
      svg.append(shape);
      if (dot) dots.push(dot);
    }
  }
  svg.append(...dots);
  for (const point of points) {
    const [x, y] = place(point.long, point.lat);
    svg.append(element("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 4, class: "spot" }, element("title", {}, point.text)));
  }
  return svg;
}
