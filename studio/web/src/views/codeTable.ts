// A table of the integer codes of a simulated neuron and of their values.
import type { Simulation } from "../state/api";
import { Table } from "../ui/table";

interface CodeRow {
  name: string;
  code: number;
  format: string;
}

export class CodeTable {
  private readonly table = new Table<CodeRow>(
    [
      { head: "coefficient", value: (r) => r.name, left: true },
      { head: "code", value: (r) => r.code, show: (r) => String(r.code) },
      { head: "format", value: (r) => r.format, left: true },
      { head: "stands for", value: (r) => stands(r) },
    ],
    { id: "codes", label: "Integer codes", key: (r) => r.name },
  );
  readonly el = this.table.el;

  show(s: Simulation | null): void {
    this.table.update(Object.entries(s?.codes ?? {}).map(([name, code]) => ({ name, code, format: s?.formats[name] ?? "" })));
  }
}

/** The value of a code in the format Q(i, f): code · 2^-f. */
function stands(r: CodeRow): number | null {
  const bits = /(-?\d+)\s*\)\s*$/.exec(r.format)?.[1];
  return bits === undefined ? null : r.code * 2 ** -Number(bits);
}
