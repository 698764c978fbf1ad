// What comes after a bitstream: into the board, run there, and watched.
import type { Job } from "../state/api";
import type { BuildReport } from "../state/events";
import { button, h } from "../ui/elements";
import { copy } from "../ui/clipboard";

/** Steps from a bitstream to the live trace; `run` leads to the form that runs the neuron at a port. */
export function afterBuild(j: Job, r: BuildReport, run: (port: string) => void): HTMLElement {
  const flash = `spikefab flash jobs/${j.id}/out/${r.bitstream} --board ${r.board}`;
  return h(
    "section",
    { id: "after-build", "aria-label": "What comes next" },
    h("h3", null, "What comes next"),
    h(
      "ol",
      null,
      h(
        "li",
        null,
        h("b", null, "Flash"),
        ": connect the board, and type this in the folder of the project; it says which program it needs.",
        h(
          "div",
          { class: "snippet" },
          h("pre", { tabindex: 0, "aria-label": "Command that loads the bitstream" }, flash),
          button(null, "Copy", () => void copy(flash), { class: "small", "aria-label": "Copy: command that loads the bitstream" }),
        ),
      ),
      h(
        "li",
        null,
        h("b", null, "Run"),
        ": a current through the neuron in the board. ",
        h(
          "span",
          { class: "row" },
          button("run-on-board", "Run it in the board", () => run(""), { class: "small" }),
          button("run-simulated", "Without a board: simulate it", () => run("sim"), { class: "small" }),
        ),
      ),
      h(
        "li",
        null,
        h("b", null, "Watch"),
        ": the live trace, voltage and spikes, is drawn in place of this report while they come, and compared with the reference.",
      ),
    ),
  );
}
