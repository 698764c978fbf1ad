// Two cursors on a chart, by pointer or by keyboard.
import { h } from "../ui/elements";
import { fix } from "../ui/format";
import type { Plot } from "./plot";

export const NAMES = ["A", "B"] as const;

export class Cursors {
  at: [number, number] | null = null; // ms; null while they are not shown
  private readonly lines: HTMLElement[];

  constructor(
    private readonly plot: () => Plot,
    private readonly step: () => number, // ms that an arrow key moves a cursor by
    private readonly moved: () => void,
  ) {
    this.lines = NAMES.map((name, k) => this.line(name, k));
  }

  attach(): void {
    this.plot().u.over.append(...this.lines);
  }

  /** Show the cursors at a third and two thirds of what is seen, or hide them. */
  show(on: boolean): void {
    const { min, max } = this.plot().group;
    this.at = on ? [min + (max - min) / 3, min + (2 * (max - min)) / 3] : null;
    this.place();
    this.moved();
  }

  place(): void {
    const { u, group } = this.plot();
    this.lines.forEach((e, k) => {
      const t = this.at?.[k];
      const x = t === undefined ? NaN : u.valToPos(t, "x");
      e.hidden = !(x >= -1 && x <= u.over.clientWidth + 1);
      if (t === undefined || e.hidden) return;
      e.style.left = `${x}px`;
      e.setAttribute("aria-valuemin", String(group.full[0]));
      e.setAttribute("aria-valuemax", String(group.full[1]));
      e.setAttribute("aria-valuenow", fix(t, 3));
      e.setAttribute("aria-valuetext", `${fix(t, 2)} ms`);
    });
  }

  private move(k: number, t: number): void {
    if (!this.at) return;
    const [lo, hi] = this.plot().group.full;
    this.at[k] = Math.max(lo, Math.min(hi, t));
    this.place();
    this.moved();
  }

  private line(name: string, k: number): HTMLElement {
    const e = h(
      "div",
      {
        class: "cursor",
        id: `cursor-${name.toLowerCase()}`,
        role: "slider",
        tabindex: 0,
        "aria-label": `Cursor ${name}`,
        "aria-orientation": "horizontal",
        "aria-valuenow": 0,
        hidden: true,
        title: `Cursor ${name}: drag, or arrow keys (one sample; Shift: 1 ms)`,
      },
      name,
    );
    e.addEventListener("mousedown", (down) => down.stopPropagation()); // dragging a cursor must not zoom the chart
    e.addEventListener("dblclick", (twice) => twice.stopPropagation());
    e.addEventListener("pointerdown", (down) => {
      down.stopPropagation();
      e.setPointerCapture(down.pointerId);
      e.focus();
      const drag = (m: PointerEvent) => {
        const { u } = this.plot();
        this.move(k, u.posToVal(m.clientX - u.over.getBoundingClientRect().left, "x"));
      };
      e.addEventListener("pointermove", drag);
      e.addEventListener("lostpointercapture", () => e.removeEventListener("pointermove", drag), { once: true });
    });
    e.addEventListener("keydown", (key) => {
      const step = key.shiftKey ? 1 : this.step();
      const by: Record<string, number> = {
        ArrowLeft: -step,
        ArrowDown: -step,
        ArrowRight: step,
        ArrowUp: step,
        PageDown: -10,
        PageUp: 10,
        Home: -Infinity,
        End: Infinity,
      };
      const d = by[key.key];
      if (d === undefined || !this.at) return;
      key.preventDefault();
      this.move(k, this.at[k]! + d);
    });
    return e;
  }
}
