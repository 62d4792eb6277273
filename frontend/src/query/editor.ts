/** The SPARQL editor: CodeMirror within a shadow root, whose style sheets the security policy lets through. */
import { autocompletion, closeBrackets, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { sparql } from "codemirror-lang-sparql";
import { KEYWORDS, missing, variables } from "./text";

/** A term of the ontology, as the editor offers it. */
export interface Offered {
  term: string;
  label: string;
  isClass: boolean;
}

export interface Editor {
  view: EditorView;
  text: () => string;
  /** Marks the place of a mistake, or none. */
  mark: (problem: { line: number; column: number } | null) => void;
}

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--link)", fontWeight: "600" },
  { tag: [tags.variableName, tags.special(tags.variableName)], color: "var(--visited)" },
  { tag: [tags.string, tags.literal], color: "var(--c4, var(--text))" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--ground)", border: "1px solid var(--quiet)", borderRadius: "4px", fontSize: ".95rem" },
  "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "ui-monospace, monospace", minHeight: "14rem", maxHeight: "60vh", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--quiet)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--mark) !important" },
  ".cm-wrong-line": { backgroundColor: "var(--raised)", boxShadow: "inset 4px 0 var(--text)" },
  ".cm-wrong": { textDecoration: "underline wavy var(--text)", fontWeight: "700" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--quiet)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--link)", color: "var(--ground)" },
  ".cm-completionDetail": { color: "inherit", fontStyle: "normal", opacity: "1" },
});

interface Place {
  from: number;
  to: number;
}

const marked = StateEffect.define<Place | null>();
/** The mistake that was found, until the text is changed. */
const wrong = StateField.define({
  create: () => Decoration.none,
  update: (shown, change) => {
    for (const effect of change.effects) {
      if (!effect.is(marked)) continue;
      const at = effect.value;
      if (!at) return Decoration.none;
      const line = Decoration.line({ class: "cm-wrong-line" }).range(change.state.doc.lineAt(at.from).from);
      return Decoration.set(at.to > at.from ? [line, Decoration.mark({ class: "cm-wrong" }).range(at.from, at.to)] : [line]);
    }
    return change.docChanged ? Decoration.none : shown;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export function editor(
  into: HTMLElement,
  text: string,
  about: { label: string; run: () => void; changed: () => void; offered: () => Promise<Offered[]> },
): Editor {
  const root = into.attachShadow({ mode: "open" });
  const complete = async (context: CompletionContext): Promise<CompletionResult | null> => {
    const word = context.matchBefore(/[?$]?[\w-]*:?[\w-]*/u);
    if (!word || (word.from === word.to && !context.explicit)) return null;
    const whole = context.state.doc.toString();
    if (/^[?$]/.test(word.text)) {
      const options = variables(whole).map((label) => ({ label, type: "variable" }));
      return { from: word.from, options, validFor: /^[?$][\p{L}\w]*$/u };
    }
    const terms = (await about.offered()).map(
      (each): Completion => ({
        label: each.term,
        detail: each.label,
        type: each.isClass ? "class" : "property",
        boost: 1,
        apply: (view, completion, from, to) => {
          const prefix = missing(view.state.doc.toString(), completion.label.split(":")[0]!);
          view.dispatch({
            changes: [...(prefix ? [{ from: prefix.at, insert: prefix.line }] : []), { from, to, insert: completion.label }],
            selection: { anchor: from + completion.label.length + (prefix?.line.length ?? 0) },
          });
        },
      }),
    );
    const keywords = KEYWORDS.map((label): Completion => ({ label, type: "keyword" }));
    return { from: word.from, options: [...terms, ...keywords], validFor: /^[\w-]*:?[\w-]*$/ };
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        bracketMatching(),
        closeBrackets(),
        wrong,
        sparql(),
        syntaxHighlighting(colours),
        look,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": about.label, spellcheck: "false" }),
        EditorView.updateListener.of((update) => update.docChanged && about.changed()),
        EditorView.domEventHandlers({ focus: () => void about.offered() }), // so that the first letters need not wait
        autocompletion({ override: [complete], activateOnTyping: true, activateOnTypingDelay: 40 }),
        // No key of ours is Tab: it leaves the editor (WCAG 2.1.2).
        keymap.of([
          { key: "Mod-Enter", run: () => (about.run(), true) },
          ...completionKeymap,
          ...historyKeymap,
          ...defaultKeymap.filter((each) => each.key !== "Mod-Enter"),
        ]),
      ],
    }),
  });
  return {
    view,
    text: () => view.state.doc.toString(),
    mark: (problem) => {
      if (!problem) {
        view.dispatch({ effects: marked.of(null) });
        return;
      }
      const line = view.state.doc.line(Math.min(Math.max(problem.line, 1), view.state.doc.lines));
      const from = Math.min(line.from + Math.max(problem.column - 1, 0), line.to);
      view.dispatch({
        effects: marked.of({ from, to: Math.min(from + 1, line.to) }),
        selection: { anchor: from },
        scrollIntoView: true,
      });
    },
  };
}
