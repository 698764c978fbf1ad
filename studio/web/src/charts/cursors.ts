// Two cursors on a chart, by pointer or by keyboard.
import { Handle } from "./handle";
import type { Plot } from "./plot";

export const NAMES = ["A", "B"] as const;

export class Cursors {
  at: [number, number] | null = null; // ms; null while they are not shown
  private readonly handles: Handle[];

  constructor(
    private readonly plot: () => Plot,
    step: () => number, // ms that an arrow key moves a cursor by
    private readonly moved: () => void,
  ) {
    this.handles = NAMES.map(
      (name, k) =>
        new Handle(
          plot,
          {
            label: `Cursor ${name}`,
            title: `Cursor ${name}: drag, or arrow keys (one sample; Shift: 1 ms)`,
            class: "cursor",
            id: `cursor-${name.toLowerCase()}`,
            at: () => this.at?.[k],
            move: (t) => this.move(k, t),
            step: (shift) => (shift ? 1 : step()),
          },
          name,
        ),
    );
  }

  attach(): void {
    this.plot().u.over.append(...this.handles.map((x) => x.element));
  }

  /** Show the cursors at a third and two thirds of what is seen, or hide them. */
  show(on: boolean): void {
    const { min, max } = this.plot().group;
    this.at = on ? [min + (max - min) / 3, min + (2 * (max - min)) / 3] : null;
    this.place();
    this.moved();
  }

  place(): void {
    for (const handle of this.handles) handle.place(this.plot().group.full, 2);
  }

  private move(k: number, t: number): void {
    if (!this.at) return;
    const [lo, hi] = this.plot().group.full;
    this.at[k] = Math.max(lo, Math.min(hi, t));
    this.place();
    this.moved();
  }
}
