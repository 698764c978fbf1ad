// Shows the properties of a recording and the warnings about it.
import type { Recording } from "../state/api";
import { button, h, set } from "../ui/elements";
import { short } from "../ui/format";
import { currentButton, otherwise } from "./importing";

/** The text shown while the project has no recording. */
export function noRecording(): HTMLElement {
  return h(
    "div",
    { class: "empty", id: "trace-empty" },
    h("h2", null, "Import a recording of a neuron"),
    h("p", null, "Drop files anywhere on this page, or use Import: the membrane voltage and the current that was injected."),
    h(
      "p",
      null,
      button("import-first", "Import", () => document.getElementById("import-file")?.click(), { class: "primary" }),
    ),
    h(
      "ul",
      null,
      h("li", null, h("b", null, ".csv .tsv .txt"), " – a time, then voltage and current of each sweep, units in the header"),
      h("li", null, h("b", null, ".abf"), " – Axon, versions 1 and 2"),
      h("li", null, h("b", null, ".nwb"), " – Neurodata Without Borders, versions 1 and 2"),
      h("li", null, "and other formats that neo reads, where it is installed"),
    ),
    h(
      "p",
      { class: "soft" },
      "Nothing leaves this machine. What cannot be trusted is refused, with the reason; a voltage without a current can still be viewed.",
    ),
  );
}

/** Show the properties of a recording, and the warnings about it, in `box`. */
export function showFacts(box: HTMLElement, r: Recording): void {
  const near = h("p", { class: "bad", hidden: true });
  const lengths = r.sweeps.map((s) => s.duration);
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)].map((x) => short(x, 4));
  const facts: [string, string | false][] = [
    ["sampled", `every ${short(r.dt)} ms, ${short(1 / r.dt)} kHz`],
    ["a sweep is", `${least === most ? most : `${least} to ${most}`} ms long`],
    ["the file has", r.units.split(", ").join(" and ")],
    ["shown in", "mV and nA"],
    r.sweeps.some((s) => s.current)
      ? ["current", r.current_origin || "as the file has it"]
      : ["current", `none: ${r.current_origin || "the file has none"}`],
    [
      "electrode",
      r.electrode_resistance > 0 && `adds ${short(r.electrode_resistance, 2)} MOhm, which the amplifier did not compensate`,
    ],
  ];
  set(
    box,
    r.cannot_be_fitted && h("div", { class: "notice warn", id: "cannot-be-fitted" }, r.cannot_be_fitted),
    !r.sweeps.some((s) => s.current) && h("p", null, currentButton(r, near)),
    otherwise(r, near),
    near,
    h(
      "dl",
      null,
      facts.map(([a, b]) => b && [h("dt", null, a), h("dd", null, b)]),
    ),
    r.doubts.length > 0 &&
      h(
        "div",
        { id: "doubts", class: "notice warn" },
        r.doubts.map((d) => h("p", null, d)),
      ),
    r.warnings.length > 0 &&
      h(
        "div",
        { id: "warnings" },
        h("h3", null, "Warnings"),
        h(
          "ul",
          { class: "warn" },
          r.warnings.map((w) => h("li", null, w)),
        ),
      ),
    r.notes.length > 0 &&
      h(
        "div",
        { id: "notes" },
        h("h3", null, "Notes"),
        h(
          "ul",
          null,
          r.notes.map((n) => h("li", null, n)),
        ),
      ),
  );
}
