// The parameters of a fitted model: value, unit, the range in which each can change, and the range that was searched.
import type { Better, FittedParameter, Row } from "../state/events";
import { h } from "../ui/elements";
import { short } from "../ui/format";
import { Table } from "../ui/table";

type Shown = Pick<FittedParameter, "name" | "unit" | "value"> & Partial<FittedParameter>;

/** A range as a text, with as many digits as tell its ends apart. */
function range(x: [number, number] | null | undefined): string {
  if (!x) return "–";
  if (x[0] === x[1]) return "only this";
  let digits = 3;
  while (digits < 6 && x[0] !== x[1] && short(x[0], digits) === short(x[1], digits)) digits++;
  return `${short(x[0], digits)} … ${short(x[1], digits)}`;
}
const ends = (head: string, f: (p: Shown) => [number, number] | null | undefined) =>
  ["low", "high"].map((end, k) => ({ head: `${head}, ${end}`, value: (p: Shown) => f(p)?.[k] }));

export class FittedParameters {
  readonly el: HTMLElement;
  private readonly table: Table<Shown>;

  constructor() {
    this.table = new Table<Shown>(
      [
        {
          head: "parameter",
          value: (p) => p.name,
          show: (p) => (p.meaning ? h("abbr", { title: p.meaning }, p.name) : p.name),
          left: true,
        },
        { head: "value", value: (p) => p.value, show: (p) => h("b", null, short(p.value, 4)) },
        { head: "unit", value: (p) => p.unit, left: true },
        { head: "can be", value: () => "", show: (p) => range(p.range), wrap: true, parts: ends("can be", (p) => p.range) },
        {
          head: "searched",
          value: () => "",
          show: (p) =>
            p.free === undefined
              ? "–"
              : p.range || p.at_bound
                ? h("span", { class: p.at_bound ? "warn" : "" }, `${range(p.bounds)}${p.at_bound ? ", at an end" : ""}`)
                : p.free
                  ? range(p.bounds)
                  : "not searched",
          wrap: true,
          parts: ends("searched", (p) => p.bounds),
        },
      ],
      { id: "fit-parameters", label: "Fitted parameters", key: (p) => p.name },
    );
    this.el = h(
      "section",
      { class: "parameters", "aria-label": "Fitted parameters" },
      this.table.el,
      h(
        "p",
        { class: "soft" },
        "Can be: how far this parameter alone can change before the loss grows by a tenth. Searched: the range that the search was allowed.",
      ),
    );
  }

  /** Show the parameters of a ranked model, or, while it is searched, the best so far. */
  show(row: Row | null, better: Better | null): void {
    const shown: Shown[] =
      row?.params ??
      Object.entries(better?.params ?? {}).map(([name, value]) => ({ name, value, unit: better!.units?.[name] ?? "" }));
    this.table.update(shown);
  }
}
