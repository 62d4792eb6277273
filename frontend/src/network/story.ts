/** A story: pictures of a network one after the other, each with its words. It lives in the address or in a file. */

export interface Scene {
  text: string;
  /** What is seen, as parameters (see `state`). */
  state: string;
}

export interface Story {
  scenes: readonly Scene[];
  /** The scene that is shown; null while none is. */
  at: number | null;
}

export const NONE: Story = { scenes: [], at: null };
const [MOST_SCENES, MOST_LETTERS] = [100, 5000];

/** The scenes in what somebody handed us; null where there are none. */
export function scenesOf(given: unknown): Scene[] | null {
  if (!Array.isArray(given) || !given.length || given.length > MOST_SCENES) return null;
  const found = given.map((each: unknown) => {
    const { text, state } = (each ?? {}) as Record<string, unknown>;
    return typeof text === "string" && typeof state === "string" && text.length <= MOST_LETTERS ? { text, state } : null;
  });
  return found.every((each) => each !== null) ? found : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The story that an address tells. */
export function told(hash: string): Story {
  const behind = new URLSearchParams(hash.slice(1));
  const scenes = scenesOf(parsed(behind.get("story") ?? ""));
  if (!scenes) return NONE;
  const scene = Math.trunc(Number(behind.get("scene")));
  return { scenes, at: scene >= 1 && scene <= scenes.length ? scene - 1 : null };
}

/** What goes behind the hash for a story. */
export function behind({ scenes, at }: Story): Record<string, string> {
  if (!scenes.length) return {};
  return { story: JSON.stringify(scenes), ...(at !== null && { scene: String(at + 1) }) };
}

/** A story as a file, with the network that it is about. */
export function filed(search: string, { scenes }: Story): string {
  return JSON.stringify({ network: search, scenes }, null, 1);
}

/** What a file tells, and of which network; null where it is no story. */
export function opened(text: string): { search: string; scenes: Scene[] } | null {
  const file = parsed(text) as { network?: unknown; scenes?: unknown } | null;
  const scenes = scenesOf(file?.scenes);
  const search = typeof file?.network === "string" ? file.network : "";
  return scenes && (search === "" || search.startsWith("?")) ? { search, scenes } : null;
}

/** The scenes with one moved by so many places. */
export function movedScene(scenes: readonly Scene[], from: number, by: number): Scene[] {
  const rest = scenes.filter((_, n) => n !== from);
  rest.splice(Math.min(Math.max(from + by, 0), rest.length), 0, scenes[from]!);
  return rest;
}
