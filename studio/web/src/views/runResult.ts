// Shows a run in a board: its voltage and spikes while it goes on, how far it is, and what came of it.
import { BoardRunChart } from "../charts/boardRun";
import type { BoardRun, Samples } from "../state/events";
import { h, say } from "../ui/elements";
import { count, fix, plural, short } from "../ui/format";

export class RunResult {
  private readonly chart = new BoardRunChart();
  private readonly counts = h("p", { id: "run-counts" });
  readonly el = h("div", { id: "run-result", hidden: true }, this.counts, this.chart.el);
  private last: Samples | null = null;
  private ended: BoardRun | null = null;

  reset(): void {
    this.last = this.ended = null;
    this.chart.reset();
  }

  take(e: Samples | BoardRun): void {
    if (e.type === "run") this.ended = e;
    else {
      if (e.anew) this.ended = null;
      this.last = e;
      this.chart.add(e);
    }
  }

  fill(): void {
    const [e, r] = [this.last, this.ended];
    this.el.hidden = !e && !r;
    if (this.el.hidden) return;
    this.chart.draw();
    say(
      this.counts,
      r
        ? `${r.mode}, ${r.where}: ${plural(r.steps, "step")} (${short((r.steps * r.dt) / 1000)} s of model time) in ${fix(r.seconds, 1)} s`
        : `${count(e!.done)} of ${plural(e!.total, "step")}, ${plural(e!.fired, "spike")}`,
    );
  }

  /** Whether it was what the reference computes; null before its end. */
  get verdict(): { good: boolean; text: string } | null {
    const r = this.ended;
    if (!r) return null;
    const place = r.simulated ? "in simulation" : `on the board at ${r.port}`;
    const of = `${plural(r.samples, "sample")} and ${plural(r.spikes, "spike")}, ${place}`;
    return r.mismatches
      ? { good: false, text: `✕ ${count(r.mismatches)} mismatches over ${of}: this is not the reference.` }
      : { good: true, text: `✓ bit-exact over ${of}.` };
  }
}
