/** The countries of the world as SVG, and what is counted in them. Loaded only when a map is to be seen. */
import { geoArea, geoCentroid, geoEqualEarth, geoPath, type GeoPermissibleObjects } from "d3-geo";
import codes from "i18n-iso-countries/codes.json";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import atlas from "world-atlas/countries-50m.json";

export const WIDTH = 960;
export const HEIGHT = 470;
/** Steradians below which a country is a dot as well: about the size of Belgium. */
const SMALL = 0.0008;

export interface Country {
  /** ISO 3166-1, two letters; empty for what has none. */
  code: string;
  name: string;
  path: string;
  /** Where a dot stands. */
  x: number;
  y: number;
  isSmall: boolean;
}

const LETTERS = new Map((codes as [string, string, string][]).map(([two, , number]) => [number, two]));
const projection = geoEqualEarth().fitExtent(
  [
    [4, 4],
    [WIDTH - 4, HEIGHT - 4],
  ],
  { type: "Sphere" },
);

export function countries(): Country[] {
  const topology = atlas as unknown as Topology<{ countries: GeometryCollection<{ name: string }> }>;
  const path = geoPath(projection).digits(1);
  return feature(topology, topology.objects.countries).features.map((each) => {
    const shape = each as GeoPermissibleObjects;
    const [x, y] = projection(geoCentroid(shape as never)) ?? [0, 0];
    return {
      code: LETTERS.get(String(each.id).padStart(3, "0")) ?? "",
      name: each.properties?.name ?? "",
      path: path(shape) ?? "",
      x,
      y,
      isSmall: geoArea(shape as never) < SMALL,
    };
  });
}

/** Where a point of the earth is on the map. */
export function place(long: number, lat: number): [number, number] {
  return projection([long, lat]) ?? [0, 0];
}

/** The class of a count: 0 for none, then 1 to 5 by steps that grow, so that few and many both show. */
export function shade(count: number, most: number): number {
  if (count <= 0) return 0;
  return most <= 1 ? 5 : Math.min(5, 1 + Math.floor((4.999 * Math.log(count)) / Math.log(most)));
}
