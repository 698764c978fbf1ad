// The sweeps of a fitted recording as a list of buttons; those that are held out are shaded.
import type { Recording } from "../state/api";
import type { Split } from "../state/events";
import { h, set } from "../ui/elements";
import { plural } from "../ui/format";

type Held = Split["held_out"];

/** The held-out parts of a sweep, ms. */
export const heldOut = (held: Held, sweep: number): [number, number][] =>
  held.filter((p) => p.sweep === sweep).map((p) => [p.start, p.stop]);

export class SweepPicker {
  readonly el: HTMLElement;
  private readonly list = h("div", { id: "fit-sweep", class: "sweeps", role: "group", "aria-label": "Sweep" });
  private readonly key = h("p", { class: "soft", id: "fit-held-out-key", hidden: true });
  private of: string | null = null;
  private held: Held = [];
  private shown = "";
  value = 0;

  constructor(private readonly chosen: () => void) {
    this.el = h("div", { class: "sweep-picker" }, h("span", { class: "soft" }, "Sweep"), this.list, this.key);
  }

  /** Show the sweeps of a recording. If it is another one than before, `first` is chosen. */
  show(r: Recording, held: Held, first: number): void {
    if (this.of !== r.id) this.value = first;
    this.of = r.id;
    this.held = held;
    const now = JSON.stringify([r.id, held, this.value]);
    if (now === this.shown) return;
    this.shown = now;
    const focused = this.list.contains(document.activeElement);
    set(
      this.list,
      r.sweeps.map((s) => {
        const parts = heldOut(held, s.index);
        const some = parts.length > 0 && parts.some(([a, b]) => b - a < 0.99 * s.duration);
        const told = `sweep ${s.name}, ${plural(s.spikes, "spike")}${parts.length ? `, ${some ? "a part is " : ""}held out` : ""}`;
        return h(
          "button",
          {
            type: "button",
            class: `small sweep${parts.length ? (some ? " held part" : " held") : ""}`,
            "data-sweep": s.index,
            "aria-pressed": String(s.index === this.value),
            "aria-label": told,
            title: told,
            onclick: () => this.pick(r, s.index),
          },
          s.name,
        );
      }),
    );
    if (focused) this.list.querySelector<HTMLElement>("[aria-pressed=true]")?.focus();
    this.key.hidden = held.length === 0;
    set(this.key, h("i", { class: "patch held" }), " held out: the search does not see it, the ranking is on it");
  }

  private pick(r: Recording, sweep: number): void {
    this.value = sweep;
    this.show(r, this.held, sweep);
    this.chosen();
  }
}
