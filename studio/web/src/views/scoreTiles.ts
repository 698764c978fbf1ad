// Shows the scores of a simulated neuron as tiles.
import type { Simulation } from "../state/api";
import { h, set } from "../ui/elements";
import { fix } from "../ui/format";

export const LOSSES = "Scores are losses: 0 is perfect. Of gamma, 1 is.";

export class ScoreTiles {
  readonly el = h("dl", { id: "bench-score", class: "tiles" });
  readonly note = h("p", { class: "soft losses", hidden: true }, LOSSES);

  show(s: Simulation | null): void {
    const c = s?.score;
    this.note.hidden = !c;
    const tiles: [string, string][] = c
      ? [
          ["score", fix(c.combined_score)],
          ["timing", fix(c.timing)],
          ["count", fix(c.count)],
          ["masked rmse, mV", fix(c.masked_rmse, 2)],
          ["gamma", fix(c.gamma, 2)],
          ["spikes, model / data", `${c.spikes_model} / ${c.spikes_data}`],
        ]
      : s
        ? [["spikes of the model", String(s.spikes.length)]]
        : [];
    set(
      this.el,
      tiles.map(([name, x]) => h("div", null, h("dt", null, name), h("dd", null, x))),
    );
  }
}
