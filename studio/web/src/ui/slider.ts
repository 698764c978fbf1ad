// The controls of one parameter: a slider, buttons to the next code, a number field, and the exact value of its code.
import type { Parameter } from "../state/api";
import { button, h, number } from "./elements";
import { short } from "./format";
import { guard } from "./numberField";

const TICKS = 1000;

export class Slider {
  readonly el: HTMLElement;
  private readonly range: HTMLInputElement;
  private readonly typed: HTMLInputElement;
  private readonly exact = h("output", { class: "exact" });
  private now = 0;

  constructor(
    private readonly p: Parameter,
    moved: (value: number, at: number) => void,
    nudge: (by: 1 | -1) => void,
  ) {
    const { name, unit, doc, bounds } = p;
    this.range = h("input", { type: "range", id: `p-${name}`, min: 0, max: TICKS, step: 1 });
    this.typed = number(`n-${name}`, "", {
      min: bounds[0],
      max: bounds[1],
      "aria-label": `${name}, typed`,
      class: "typed",
    });
    this.exact.setAttribute("for", `p-${name}`);
    this.range.addEventListener("input", (e) => {
      const x = (this.now = this.value(this.range.valueAsNumber));
      this.typed.value = short(x);
      this.speak(x);
      moved(x, e.timeStamp);
    });
    const take = (x: number, at: number) => {
      this.now = x;
      this.range.valueAsNumber = this.tick(x);
      this.speak(x);
      moved(x, at);
    };
    guard(this.typed, `${name}${unit && `, ${unit},`}`, () => this.now, take);
    this.el = h(
      "div",
      { class: "param" },
      h(
        "div",
        { class: "param-head" },
        h("label", { for: `p-${name}`, title: doc }, h("b", null, name), unit ? ` ${unit}` : ""),
        this.exact,
      ),
      h(
        "div",
        { class: "param-row" },
        button(`minus-${name}`, "−", () => nudge(-1), {
          class: "small",
          "aria-label": `${name}: one code down`,
          title: "One code down",
        }),
        this.range,
        button(`plus-${name}`, "+", () => nudge(1), { class: "small", "aria-label": `${name}: one code up`, title: "One code up" }),
        this.typed,
      ),
      h("p", { class: "soft doc" }, doc),
    );
  }

  set(x: number): void {
    this.now = x;
    this.range.valueAsNumber = this.tick(x);
    if (document.activeElement !== this.typed) this.typed.value = short(x);
    this.speak(x);
  }

  /** Show the exact value that the codes stand for. */
  stand(x: number | undefined): void {
    this.exact.textContent = x === undefined ? "" : `= ${short(x, 8)}`;
  }

  private speak(x: number): void {
    this.range.setAttribute("aria-valuetext", `${short(x)} ${this.p.unit}`);
  }

  private get logarithmic(): boolean {
    return this.p.log && this.p.bounds[0] > 0;
  }

  private value(tick: number): number {
    const [lo, hi] = this.p.bounds;
    const share = tick / TICKS;
    return this.logarithmic ? lo * (hi / lo) ** share : lo + (hi - lo) * share;
  }

  private tick(x: number): number {
    const [lo, hi] = this.p.bounds;
    const share = this.logarithmic ? Math.log(Math.max(x, lo) / lo) / Math.log(hi / lo) : (x - lo) / (hi - lo);
    return Math.round(TICKS * Math.min(1, Math.max(0, share)));
  }
}
