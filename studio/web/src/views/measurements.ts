// What the cursors of the Trace view measure: time, voltage and current, their differences, and the spike under each cursor.
import { NAMES, type Cursors } from "../charts/cursors";
import type { Recording, Shapes, Sweep, Trace } from "../state/api";
import { get } from "../state/server";
import { h, set } from "../ui/elements";
import { fix, short } from "../ui/format";
import { complain } from "../ui/messages";

type Spike = Shapes["spikes"][number];

export class Measurements {
  readonly el = h("div", { id: "measurements", class: "measurements", hidden: true });
  private of = "";
  private shapes: Shapes | null = null;

  constructor(private readonly near: HTMLElement) {}

  /** Show what is at the cursors in a trace of a sweep. */
  show(cursors: Cursors, trace: Trace | null, r: Recording | undefined, s: Sweep | undefined): void {
    const at = cursors.at;
    this.el.hidden = !at || !trace || !r || !s;
    if (!at || !trace || !r || !s) return;
    if (s.spikes) void this.load(r, s, () => this.show(cursors, trace, r, s));
    const known = this.of === key(r, s) ? this.shapes : null;
    const points = at.map((t) => {
      const k = Math.max(0, Math.min(trace.voltage.length - 1, Math.round((t - trace.t0) / trace.step)));
      return { t: trace.t0 + k * trace.step, v: trace.voltage[k]!, i: trace.current?.[k] ?? null };
    });
    const [a, b] = points as [(typeof points)[0], (typeof points)[0]];
    const digits = r.dt < 0.01 ? 3 : 2;
    const row = (name: string, t: number, v: number, i: number | null) =>
      h(
        "tr",
        null,
        h("th", { scope: "row", class: "left" }, name),
        h("td", null, fix(t, digits)),
        h("td", null, fix(v, 2)),
        trace.current && h("td", null, i === null ? "–" : short(i, 4)),
      );
    const spikes = points.map((p) => known?.spikes.find((x) => p.t >= x.onset_time - r.dt / 2 && p.t <= x.end_time + r.dt / 2));
    set(
      this.el,
      h(
        "table",
        { id: "cursor-values", "aria-label": "At the cursors" },
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            ["cursor", "time, ms", "voltage, mV", ...(trace.current ? ["current, nA"] : [])].map((x, k) =>
              h("th", { scope: "col", class: k ? "" : "left" }, x),
            ),
          ),
        ),
        h(
          "tbody",
          null,
          points.map((p, k) => row(NAMES[k]!, p.t, p.v, p.i)),
          row("B − A", b.t - a.t, b.v - a.v, a.i === null || b.i === null ? null : b.i - a.i),
        ),
      ),
      h(
        "div",
        null,
        spikes.map((x, k) => h("div", { class: "spike", "data-cursor": NAMES[k] }, this.spike(NAMES[k]!, x, s, known))),
        r.electrode_resistance > 0 && h("p", { class: "soft" }, "Of spikes, voltages are those without the electrode."),
      ),
      trace.bucket > 1 && h("p", { class: "soft" }, "Zoom in for the exact samples: here a point stands for several."),
    );
  }

  private spike(name: string, x: Spike | undefined, s: Sweep, known: Shapes | null): HTMLElement {
    if (!x || !known) {
      const why = !s.spikes ? "this sweep has no spike" : known ? "no spike under it: move it onto one" : "looking for its spike …";
      return h("p", { class: "soft" }, `${name}: ${why}.`);
    }
    return h(
      "dl",
      null,
      h("dt", null, `spike at ${name}`),
      h("dd", null, `${fix(x.time, 2)} ms`),
      known.features.map((f) => [
        h("dt", null, h("abbr", { title: f.definition }, f.label)),
        h("dd", { "data-feature": f.name }, x[f.name] === null ? "–" : `${short(x[f.name], 4)} ${f.unit}`),
      ]),
    );
  }

  private async load(r: Recording, s: Sweep, then: () => void): Promise<void> {
    const of = key(r, s);
    if (this.of === of) return;
    [this.of, this.shapes] = [of, null];
    try {
      const found = await get<Shapes>(`recordings/${r.id}/shapes?sweep=${s.index}`);
      if (this.of !== of) return;
      this.shapes = found;
      then();
    } catch (error) {
      if (this.of === of) this.of = "";
      complain(error, this.near);
    }
  }
}

const key = (r: Recording, s: Sweep): string => `${r.id}/${s.index}/${s.spikes}/${s.current !== null}`;
