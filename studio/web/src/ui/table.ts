// Tables that can change while they are shown, with buttons to copy them (TSV) and to save them (CSV). Rows are kept by key,
// so that a click hits the row under the pointer even while numbers change.
import { copy, download } from "./clipboard";
import { button, h, say } from "./elements";
import { finite, short } from "./format";

export interface Column<R> {
  head: string | (() => string); // a function if the heading can change with the rows
  value: (row: R) => string | number | null | undefined; // value that is copied
  show?: (row: R) => string | Node; // what is shown, if it differs from the value
  left?: boolean;
  wrap?: boolean;
  bare?: boolean; // a column of buttons, which is not copied
  parts?: { head: string; value: Column<R>["value"] }[]; // columns copied in its place: a spreadsheet would read 4/5 as a date
}

interface Options<R> {
  id?: string;
  label: string; // name of the table, and of the saved file
  key: (row: R) => string;
  onrow?: (row: R) => void;
  empty?: string;
}

export class Table<R> {
  readonly el: HTMLElement;
  private readonly body = h("tbody");
  private readonly bodies = new Map<string, { tr: HTMLTableRowElement; texts: string[]; row: R }>();
  private readonly none: HTMLElement;
  private readonly heads: HTMLElement[];
  private rows: R[] = [];
  private chosen: string | null = null;

  constructor(
    private readonly columns: Column<R>[],
    private readonly options: Options<R>,
  ) {
    this.heads = columns.map((c) => h("th", { scope: "col", class: c.left ? "left" : "" }));
    const table = h(
      "table",
      { id: options.id, "aria-label": options.label },
      h("thead", null, h("tr", null, this.heads)),
      this.body,
    );
    this.none = h("p", { class: "soft" }, options.empty ?? "");
    this.el = h(
      "div",
      { class: "table" },
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${options.label}, scrolls` }, table),
      this.none,
      h(
        "div",
        { class: "row tools" },
        button(null, "Copy", () => void copy(this.text("\t")), { class: "small", "aria-label": `Copy table: ${options.label}` }),
        button(null, "CSV", () => download(`${options.label.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv`, this.text(",")), {
          class: "small",
          "aria-label": `Download table as CSV: ${options.label}`,
        }),
      ),
    );
    this.update([]);
  }

  update(rows: R[]): void {
    this.rows = rows;
    this.columns.forEach((c, k) => say(this.heads[k]!, title(c)));
    const keep = new Set(rows.map(this.options.key));
    for (const [key, { tr }] of this.bodies) {
      if (!keep.has(key)) {
        tr.remove();
        this.bodies.delete(key);
      }
    }
    rows.forEach((row, at) => {
      const key = this.options.key(row);
      let held = this.bodies.get(key);
      if (!held) {
        const made = {
          tr: h(
            "tr",
            { "data-key": key },
            this.columns.map((c) => h("td", { class: [c.left && "left", c.wrap && "wrap"].filter(Boolean).join(" ") })),
          ),
          texts: [] as string[],
          row,
        };
        if (this.options.onrow) made.tr.addEventListener("click", () => this.options.onrow!(made.row));
        this.bodies.set(key, (held = made));
      }
      held.row = row;
      this.columns.forEach((c, k) => {
        const seen = c.show ? c.show(row) : plain(c.value(row));
        const text = seen instanceof Element ? seen.outerHTML : seen instanceof Node ? (seen.textContent ?? "") : seen;
        if (held!.texts[k] === text) return;
        held!.texts[k] = text;
        held!.tr.cells[k]!.replaceChildren(seen);
      });
      if (this.body.rows[at] !== held.tr) this.body.insertBefore(held.tr, this.body.rows[at] ?? null);
    });
    this.mark();
    const empty = rows.length === 0;
    this.none.hidden = !empty || !this.options.empty;
    (this.el.firstElementChild as HTMLElement).hidden = empty;
    (this.el.lastElementChild as HTMLElement).hidden = empty;
  }

  /** Mark the row with this key as the one that is shown in detail. */
  choose(key: string | null): void {
    this.chosen = key;
    this.mark();
  }

  private mark(): void {
    for (const [key, { tr }] of this.bodies) {
      if (key === this.chosen) tr.setAttribute("aria-current", "true");
      else tr.removeAttribute("aria-current");
    }
  }

  text(separator: string): string {
    const cell = (x: string | number | null | undefined) => {
      const s = x === null || x === undefined ? "" : String(x);
      if (separator === "\t") return s.replace(/[\t\n\r]+/g, " ");
      return /[",\n\r]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
    };
    const columns = this.columns.filter((c) => !c.bare).flatMap((c) => c.parts ?? [{ head: title(c), value: c.value }]);
    const lines = [columns.map((c) => cell(c.head)), ...this.rows.map((r) => columns.map((c) => cell(c.value(r))))];
    return lines.map((l) => l.join(separator)).join("\n") + "\n";
  }
}

function title<R>(c: Column<R>): string {
  return typeof c.head === "string" ? c.head : c.head();
}

function plain(x: string | number | null | undefined): string {
  return finite(x) ? short(x) : x === null || x === undefined || typeof x === "number" ? "–" : x;
}
