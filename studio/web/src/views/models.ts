// The Models view: a card for each model; a chosen model is shown on the bench, where it can be simulated.
import type { Card } from "../state/api";
import { cards } from "../state/project";
import { keep, present, session } from "../state/session";
import { on } from "../state/topics";
import { button, choices, h, select, set, svg } from "../ui/elements";
import { count } from "../ui/format";
import { BenchView } from "./bench";

export class ModelsView {
  readonly el = h("div", { class: "view" });
  private readonly grid = h("div", { id: "cards", class: "cards" });
  private readonly word = select(
    "cards-word",
    ["16", "18", "24"].map((w) => [w, `${w} bits`]),
    String(session.word),
  );
  private readonly all = h("div", { class: "stack" });
  private readonly one = h("div", { class: "stack" });
  private readonly picker = select("model", []);
  private readonly about = h("details", { id: "about", class: "card" });
  private readonly bench: BenchView;
  private visible = false;

  constructor(deploy: () => void) {
    this.bench = new BenchView(() => this.visible && session.model !== null);
    const deployed = button("bench-deploy", "Deploy this neuron", deploy, { disabled: true });
    on("bench", () => (deployed.disabled = !present.s));
    this.word.addEventListener("change", () => {
      session.word = Number(this.word.value);
      keep();
      this.fillCards();
    });
    this.picker.addEventListener("change", () => this.open(this.picker.value));
    set(this.all, h("div", { class: "row" }, h("label", { for: "cards-word" }, "Cost at a word of"), this.word), this.grid);
    set(
      this.one,
      h(
        "div",
        { class: "row" },
        button("all-models", "‹ All models", () => this.open(null)),
        h("label", { for: "model", class: "hidden" }, "Model"),
        this.picker,
        h("span", { class: "push" }, deployed),
      ),
      this.about,
      this.bench.el,
    );
    set(this.el, this.all, this.one);
    on("recording", () => this.visible && this.show());
  }

  show(): void {
    this.visible = true;
    if (!cards.some((c) => c.name === session.model)) session.model = null;
    this.all.hidden = session.model !== null;
    this.one.hidden = session.model === null;
    if (session.model === null) return this.fillCards();
    choices(
      this.picker,
      cards.map((c) => [c.name, c.short]),
      session.model,
    );
    const c = cards.find((x) => x.name === session.model)!;
    const open = this.about.open;
    set(this.about, h("summary", null, h("b", null, c.short), ` – ${c.title}`), ...description(c, session.word));
    this.about.open = open;
    void this.bench.open(c.name);
  }

  /** Simulate the neuron that was on the bench when the page was last open, so that Deploy can offer it. */
  prepare(): void {
    if (session.model) void this.bench.open(session.model);
  }

  hide(): void {
    this.visible = false;
  }

  open(model: string | null): void {
    session.model = model;
    keep();
    this.show();
    scrollTo({ top: 0 });
    if (model) this.picker.focus();
    else this.grid.querySelector("button")?.focus();
  }

  private fillCards(): void {
    this.word.value = String(session.word);
    set(
      this.grid,
      cards.map((c) => this.card(c)),
    );
  }

  private card(c: Card): HTMLElement {
    const click = (e: Event) => {
      // a click anywhere on the card opens the model, unless it selects text; keyboard users have the button
      if (!(e.target as Element).closest(".equations, button") && !getSelection()?.toString()) this.open(c.name);
    };
    return h(
      "article",
      { class: "card model", "data-model": c.name, onclick: click },
      h(
        "div",
        { class: "model-head" },
        h("h2", null, c.short),
        button(null, "Open", () => this.open(c.name), {
          class: "primary small",
          "data-testid": `open-${c.name}`,
          "aria-label": `Open ${c.short}`,
        }),
      ),
      thumbnail(c),
      h("p", null, c.title),
      ...description(c, session.word),
    );
  }
}

function description(c: Card, word: number): HTMLElement[] {
  const cost = c.cost[String(word)];
  const builds = c.builds.filter((b) => b.word === word);
  return [
    equations(c),
    h(
      "dl",
      null,
      h("dt", null, "best for"),
      h("dd", null, c.best_for),
      h("dt", null, "free"),
      h("dd", null, `${c.free.length}: ${c.free.join(", ")}`),
      cost && [
        h("dt", null, `cost, ${word} bits`),
        h(
          "dd",
          null,
          `${count(cost.multiplies)} multiplies a step; bits: ${count(cost.table_bits)} of tables, ${count(cost.state_bits)} of state, ${count(cost.coefficient_bits)} of coefficients`,
        ),
      ],
      builds.map((b) => [
        h("dt", null, b.board),
        h("dd", null, `${count(b.cells)} cells, ${b.mhz.toFixed(1)} MHz (place and route)`),
      ]),
      c.source && [h("dt", null, "source"), h("dd", null, c.source)],
    ),
  ];
}

/** The equations, as the server has set them. */
function equations(c: Card): HTMLElement {
  const el = h("div", { class: "equations", role: "group", "aria-label": `Equations of ${c.short}` });
  el.innerHTML = c.equations; // of our own server, made from the docstrings of models
  return el;
}

/** A picture of the firing pattern: the voltage above the current, each scaled to its own space. */
function thumbnail(c: Card): Element {
  const [w, hv, hi] = [240, 54, 12];
  const line = (y: number[], top: number, height: number) => {
    const lo = Math.min(...y);
    const span = Math.max(...y) - lo || 1;
    return y
      .map(
        (v, k) =>
          `${k ? "L" : "M"}${((k / Math.max(1, y.length - 1)) * w).toFixed(1)} ${(top + height - ((v - lo) / span) * height).toFixed(1)}`,
      )
      .join("");
  };
  const path = (d: string, name: string) => svg("path", { d, class: name, "vector-effect": "non-scaling-stroke" });
  return svg(
    "svg",
    {
      viewBox: `0 0 ${w} ${hv + hi + 10}`,
      class: "thumbnail",
      role: "img",
      "aria-label": `Firing pattern of ${c.short}`,
      preserveAspectRatio: "none",
    },
    c.thumbnail.v.length ? path(line(c.thumbnail.v, 3, hv), "v") : null,
    c.thumbnail.i.length ? path(line(c.thumbnail.i, hv + 7, hi), "i") : null,
  );
}
