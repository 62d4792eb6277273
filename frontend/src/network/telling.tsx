/** Tells a story scene by scene, and makes one of what is seen. */
import { useState } from "preact/hooks";
import type { Words } from "../words";
import { behind, filed, movedScene, opened, type Scene, type Story as Told } from "./story";

interface Props {
  story: Told;
  t: Words;
  /** What is seen now, as a scene has it. */
  seen: () => string;
  /** Changes the story, and shows the scene that it stands at if `isShown`. */
  tell: (story: Told, isShown?: boolean) => void;
  save: (name: string, content: Blob) => void;
  canWrite: boolean;
}

export function Story({ story, t, seen, tell, save, canWrite }: Props) {
  const { scenes, at } = story;
  return (
    <div class="story" role="group" aria-label={t("story")}>
      {scenes.length > 0 && (
        <>
          <p class="tools">
            <button type="button" aria-disabled={at === 0} onClick={() => at !== 0 && tell({ scenes, at: at === null ? 0 : at - 1 }, true)}>{t("story.previous")}</button>
            <button type="button" aria-disabled={at === scenes.length - 1} onClick={() => at !== scenes.length - 1 && tell({ scenes, at: at === null ? 0 : at + 1 }, true)}>{t(at === null ? "story.begin" : "story.next")}</button>
            <span class="detail">{t("story.at", { n: at === null ? 0 : at + 1, all: scenes.length })}</span>
          </p>
          <p class="told" role="status">{at !== null && scenes[at]!.text}</p>
        </>
      )}
      {canWrite && <Writing story={story} t={t} seen={seen} tell={tell} save={save} />}
    </div>
  );
}

function Writing({ story: { scenes, at }, t, seen, tell, save }: Omit<Props, "canWrite">) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const put = (place: number, part: Partial<Scene>) =>
    tell({ scenes: scenes.map((each, n) => (n === place ? { ...each, ...part } : each)), at });
  const move = (place: number, by: number) => tell({ scenes: movedScene(scenes, place, by), at: null });
  const open = async (file: File | undefined) => {
    const found = file && opened(await file.text());
    if (!found) return setProblem(t("story.wrong"));
    setProblem("");
    if (found.search === location.search) return tell({ scenes: found.scenes, at: 0 }, true);
    // Another network, so another page: the story goes with the address.
    const first = new URLSearchParams(found.scenes[0]!.state);
    for (const [name, value] of Object.entries(behind({ scenes: found.scenes, at: 0 }))) first.set(name, value);
    location.assign(`${location.pathname}${found.search}#${first}`);
  };
  return (
    <details>
      <summary>{t("story.make")}</summary>
      <p><label>{t("story.text")}<br /><textarea rows={2} maxLength={5000} value={text} onInput={(event) => setText(event.currentTarget.value)} /></label></p>
      <p class="tools">
        <button type="button" onClick={() => {
          tell({ scenes: [...scenes, { text, state: seen() }], at: scenes.length });
          setText("");
        }}>{t("story.add")}</button>
        {scenes.length > 0 && <button type="button" onClick={() => save("network-story.json", new Blob([filed(location.search, { scenes, at })], { type: "application/json" }))}>{t("story.save")}</button>}
        <label>{t("story.open")} <input type="file" accept=".json,application/json" onChange={(event) => {
          const input = event.currentTarget;
          void open(input.files?.[0]).finally(() => (input.value = ""));
        }} /></label>
      </p>
      {problem && <p role="alert">{problem}</p>}
      <ol>{scenes.map((each, n) => (
        <li key={n}>
          <label>{t("story.text-of", { n: n + 1 })}<br /><textarea rows={2} maxLength={5000} value={each.text} onInput={(event) => put(n, { text: event.currentTarget.value })} /></label>
          <p class="tools">
            <button type="button" aria-label={t("story.show-n", { n: n + 1 })} onClick={() => tell({ scenes, at: n }, true)}>{t("story.show")}</button>
            <button type="button" aria-label={t("story.take-n", { n: n + 1 })} onClick={() => put(n, { state: seen() })}>{t("story.take")}</button>
            <button type="button" aria-label={t("story.earlier-n", { n: n + 1 })} disabled={n === 0} onClick={() => move(n, -1)}>{t("story.earlier")}</button>
            <button type="button" aria-label={t("story.later-n", { n: n + 1 })} disabled={n === scenes.length - 1} onClick={() => move(n, 1)}>{t("story.later")}</button>
            <button type="button" aria-label={t("story.remove-n", { n: n + 1 })} onClick={() => tell({ scenes: scenes.filter((_, other) => other !== n), at: null })}>{t("story.remove")}</button>
          </p>
        </li>
      ))}</ol>
    </details>
  );
}
