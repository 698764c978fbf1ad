// Shows what the scores of a fit cost on a board: the knee in a sentence, the front as a table and as a picture.
import type { Job } from "../state/api";
import type { Front, FrontPoint } from "../state/events";
import { brief } from "../state/project";
import { source } from "../state/server";
import { copy } from "../ui/clipboard";
import { button, h, set } from "../ui/elements";
import { count, fix } from "../ui/format";
import { Table } from "../ui/table";

const FORMS = { shared: "one neuron", pipelined: "as many as fit" };

export class FrontResult {
  readonly el = h("div", { id: "front", hidden: true });
  private readonly table: Table<FrontPoint>;
  private shown: Front | null = null;

  /** `build` builds one neuron for the board of a front. */
  constructor(build: (b: HTMLButtonElement, point: FrontPoint, board: string) => void) {
    const number = (head: string, f: (p: FrontPoint) => number) => ({ head, value: f, show: (p: FrontPoint) => count(f(p)) });
    this.table = new Table<FrontPoint>(
      [
        { head: "form", value: (p) => FORMS[p.form], left: true },
        { head: "model", value: (p) => brief(p.neuron.model), left: true },
        { head: "word", value: (p) => p.neuron.word },
        {
          head: () => (this.shown?.validated === false ? "training score" : "held-out score"),
          value: (p) => p.score,
          show: (p) => fix(p.score),
        },
        number("cells", (p) => p.cells),
        number("multipliers", (p) => p.multipliers),
        number("block RAMs", (p) => p.block_rams),
        { head: "MHz", value: (p) => p.mhz, show: (p) => fix(p.mhz, 1) },
        number("neurons", (p) => p.neurons),
        { head: "", value: (p) => (p.knee ? "knee" : ""), left: true },
        {
          head: "build",
          value: () => "",
          bare: true,
          left: true,
          show: (p) => {
            const which = `${brief(p.neuron.model)}, ${p.neuron.word} bits, ${FORMS[p.form]}`;
            return p.form === "shared"
              ? button(null, "Build", (e) => build(e.currentTarget as HTMLButtonElement, p, this.shown!.board), {
                  class: "small",
                  "aria-label": `Build ${which}`,
                })
              : button(null, "Copy command", () => void copy(p.command), {
                  class: "small",
                  title: p.command,
                  "aria-label": `Copy the command that builds ${which}`,
                });
          },
        },
      ],
      { id: "front-points", label: "What accuracy costs", key: (p) => p.command }, // of another job, the buttons are others
    );
  }

  fill(j: Job | undefined, found: Front | null): void {
    this.el.hidden = !found || !j;
    if (this.shown === found) return; // do not load the picture again
    this.shown = found;
    if (!found || !j) return set(this.el);
    this.table.update(found.points);
    set(
      this.el,
      found.sentences.map((text) => h("p", { class: "knee" }, text)),
      h(
        "figure",
        null,
        h("img", {
          id: "front-picture",
          src: source(`jobs/${j.id}/files/${encodeURIComponent(found.picture)}`),
          alt: `Score against what models take of the ${found.board}, estimated`,
        }),
        h("figcaption", null, "All models of the fit at each word; the front is marked. Estimated, not built."),
      ),
      this.table.el,
      h("p", { class: "soft" }, found.basis),
    );
  }
}
