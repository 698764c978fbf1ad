// Shows scores between their floor and their ceiling: one line for the score and for each of its parts.
import type { Level, Scale } from "../state/api";
import { h, set } from "../ui/elements";
import { finite, fix } from "../ui/format";

/** A model on the lines: its name, its level, and the name of its colour. */
export interface Mark {
  name: string;
  level: Level;
  colour: string;
}

const PARTS: [keyof Level, string][] = [
  ["score", "score"],
  ["voltage", "voltage"],
  ["timing", "timing"],
  ["count", "count"],
];
const LONGEST = 1.5; // largest value on a line; a model beyond it is drawn at its end

export class ScaleLines {
  readonly el: HTMLElement;
  private readonly body = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Floor and ceiling, scrolls" });
  private readonly told = h("div");

  constructor(id: string) {
    this.el = h("section", { id, class: "scale", hidden: true, "aria-label": "Scores between floor and ceiling" });
    set(this.el, h("h3", null, "How good is that?"), this.body, this.told);
  }

  /** Show marks on a scale, the first of them with its numbers; nothing without a scale. */
  show(scale: Scale | null | undefined, marks: Mark[], sentences: string[]): void {
    this.el.hidden = !scale || !marks.length;
    if (!scale || !marks.length) return;
    const first = marks[0]!;
    set(
      this.body,
      h(
        "table",
        { "aria-label": "Scores between floor and ceiling" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            ["part", "0 is perfect", "ceiling", first.name, "floor", "way"].map((text, k) =>
              h("th", { scope: "col", class: k < 2 ? "left" : "" }, text),
            ),
          ),
        ),
        h(
          "tbody",
          null,
          PARTS.map(([part, label]) => this.row(label, part, scale, marks)),
        ),
      ),
    );
    set(
      this.told,
      h(
        "p",
        { class: "keys scale-keys" },
        marks.map((m) => h("span", { class: "key" }, dot(m.colour), m.name)),
        scale.ceiling && h("span", { class: "key" }, h("i", { class: "patch ceiling" }), "as good as the cell itself"),
        h("span", { class: "key" }, h("i", { class: "patch floor" }), "knows nothing"),
      ),
      sentences.map((text) => h("p", { class: "soft" }, text)),
    );
  }

  private row(label: string, part: keyof Level, scale: Scale, marks: Mark[]): HTMLElement {
    const [floor, ceiling, own] = [scale.floor[part], scale.ceiling?.[part], marks[0]!.level[part]];
    const way = finite(floor) && finite(ceiling) && finite(own) && floor > ceiling ? (floor - own) / (floor - ceiling) : null;
    return h(
      "tr",
      { class: part === "score" ? "whole" : "" },
      h("th", { scope: "row", class: "left" }, label),
      h("td", { class: "left" }, line(part, scale, marks)),
      h("td", null, fix(ceiling)),
      h("td", null, h("b", null, fix(own))),
      h("td", null, fix(floor)),
      h("td", null, way === null ? "–" : `${(100 * way).toFixed(0)} %`),
    );
  }
}

function dot(colour: string): HTMLElement {
  return h("i", { class: "dot", "aria-hidden": "true", style: { background: `var(--${colour})` } });
}

/** A line from 0 to 1 or a bit more: the floor from its value on, the ceiling up to its value, and the marks. */
export function line(part: keyof Level, scale: Scale, marks: Mark[]): HTMLElement {
  const [floor, ceiling] = [scale.floor[part], scale.ceiling?.[part]];
  const known = [1, floor, ...marks.map((m) => m.level[part])].filter(finite);
  const full = 1.03 * Math.min(LONGEST, Math.max(...known));
  const at = (x: number) => `${((100 * Math.min(x, full)) / full).toFixed(1)}%`;
  return h(
    "div",
    { class: "line", "aria-hidden": "true" },
    finite(floor) && h("i", { class: "floor", style: { left: at(floor) } }),
    finite(ceiling) && h("i", { class: "ceiling", style: { width: at(ceiling) } }),
    [...marks].reverse().map((m) => {
      const x = m.level[part];
      return finite(x) && h("b", { style: { left: at(x), background: `var(--${m.colour})` } });
    }),
  );
}
