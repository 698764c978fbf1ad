// A handle on a chart that is moved along the time axis, by pointer or by keyboard. It is a slider for those who hear the page.
import { h } from "../ui/elements";
import { fix } from "../ui/format";
import type { Plot } from "./plot";

interface Moves {
  label: string;
  title: string;
  class: string;
  id: string;
  at: () => number | undefined; // ms; undefined while it is not shown
  move: (t: number) => void;
  step: (shift: boolean) => number; // ms of an arrow key
  dropped?: () => void; // the pointer has let it go
  keyed?: () => void; // a key has moved it
}

export class Handle {
  readonly element: HTMLElement;

  constructor(
    private readonly plot: () => Plot,
    private readonly moves: Moves,
    ...content: string[]
  ) {
    this.element = h(
      "div",
      {
        class: moves.class,
        id: moves.id,
        role: "slider",
        tabindex: 0,
        "aria-label": moves.label,
        "aria-orientation": "horizontal",
        "aria-valuenow": 0,
        hidden: true,
        title: moves.title,
      },
      ...content,
    );
    this.listen();
  }

  /** Put it where its time is on the chart, with so many decimals of its value; hide it if that is outside. */
  place(limits: readonly [number, number], decimals: number): void {
    const { u } = this.plot();
    const [e, t] = [this.element, this.moves.at()];
    const x = t === undefined ? NaN : u.valToPos(t, "x");
    e.hidden = !(x >= -1 && x <= u.over.clientWidth + 1);
    if (t === undefined || e.hidden) return;
    e.style.left = `${x}px`;
    e.setAttribute("aria-valuemin", String(limits[0]));
    e.setAttribute("aria-valuemax", String(limits[1]));
    e.setAttribute("aria-valuenow", fix(t, decimals + 1));
    e.setAttribute("aria-valuetext", `${fix(t, decimals)} ms`);
  }

  private listen(): void {
    const { element: e, moves } = this;
    e.addEventListener("mousedown", (down) => down.stopPropagation()); // dragging a handle must not zoom the chart
    e.addEventListener("dblclick", (twice) => twice.stopPropagation());
    e.addEventListener("pointerdown", (down) => {
      down.stopPropagation();
      e.setPointerCapture(down.pointerId);
      e.focus();
      const drag = (m: PointerEvent) => {
        const { u } = this.plot();
        moves.move(u.posToVal(m.clientX - u.over.getBoundingClientRect().left, "x"));
      };
      const drop = () => {
        e.removeEventListener("pointermove", drag);
        moves.dropped?.();
      };
      e.addEventListener("pointermove", drag);
      e.addEventListener("lostpointercapture", drop, { once: true });
    });
    e.addEventListener("keydown", (key) => {
      const step = moves.step(key.shiftKey);
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
      const [d, t] = [by[key.key], moves.at()];
      if (d === undefined || t === undefined) return;
      key.preventDefault();
      moves.move(t + d);
      moves.keyed?.();
    });
  }
}
