// The ranking of a fit: a row a model, while it is searched and when it is ranked.
import { style } from "../charts/losses";
import { swatch } from "../charts/marks";
import type { Ranking, Row } from "../state/events";
import { brief, chosen } from "../state/project";
import { h } from "../ui/elements";
import { count, finite, fix } from "../ui/format";
import { Table } from "../ui/table";
import type { Live } from "./fittedModel";
import { type Mark, line } from "./scaleLines";

/** A ranked model as a mark on the scale. */
export function mark(r: Row): Mark {
  return {
    name: brief(r.model),
    colour: style(r.model).colour,
    level: {
      score: r.combined_score!,
      voltage: r.voltage ?? null,
      timing: r.timing_term ?? r.timing ?? NaN,
      count: r.count ?? NaN,
    },
  };
}

/** The table; `found` returns the ranking, null while the search goes on. */
export function rankingTable(found: () => Ranking | null, pick: (model: string) => void): Table<Live> {
  const number = (head: string, f: (r: Row) => number | null, digits: number) => ({
    head,
    value: (l: Live) => (l.row ? f(l.row) : null),
    show: (l: Live) => fix(l.row && f(l.row), digits),
  });
  const ties = () => found()?.rows.filter((r) => r.tied).length ?? 0;
  return new Table<Live>(
    [
      {
        head: "rank",
        value: (l) => l.row?.rank ?? null,
        show: (l) => (l.row ? `${l.row.rank}.${l.row.tied && ties() > 1 ? " tied" : ""}` : "–"),
      },
      { head: "model", value: (l) => l.model, show: name, left: true },
      {
        head: () => (found() ? (found()!.validated ? "held-out score" : "score, not validated") : "score"),
        value: (l) => l.row?.combined_score ?? null,
        show: (l) => score(l.row, found()),
        left: true,
      },
      number("training score", (r) => r.training, 3),
      { head: "evaluations", value: (l) => l.evaluations, show: (l) => progress(l, found()), left: true },
      {
        head: "search loss",
        value: (l) => l.loss,
        show: (l) => `${fix(l.loss)}${l.loss !== null && l.share < 1 ? ` on ${Math.max(1, Math.round(100 * l.share))} %` : ""}`,
      },
      number("float64", (r) => r.float64, 3),
      number("voltage", (r) => r.voltage ?? null, 3),
      number("timing", (r) => r.timing_term ?? r.timing, 3),
      number("count", (r) => r.count, 3),
      number("masked mV", (r) => r.masked_rmse, 2),
      number("gamma", (r) => r.gamma, 2),
      {
        head: "spikes",
        value: (l) => (l.row ? `${l.row.spikes_model}/${l.row.spikes_data}` : null),
        parts: [
          { head: "spikes model", value: (l) => l.row?.spikes_model },
          { head: "spikes data", value: (l) => l.row?.spikes_data },
        ],
      },
    ],
    {
      id: "ranking",
      label: "Ranking",
      key: (l) => l.model,
      onrow: (l) => pick(l.model),
      empty: "The first model is about to begin.",
    },
  );
}

function name(l: Live): Node {
  const settings = chosen(l.row?.settings ?? l.better?.settings);
  return h(
    "button",
    { type: "button", class: "link", "data-testid": `row-${l.model}` },
    swatch(style(l.model)),
    ` ${brief(l.model)}`,
    settings && h("span", { class: "soft" }, ` ${settings}`),
  );
}

/** The score, and where it lies between floor and ceiling. */
function score(row: Row | null, found: Ranking | null): Node {
  const scale = found?.scale;
  return h(
    "span",
    { class: "share score" },
    h("b", null, fix(row?.combined_score)),
    scale && row && finite(row.combined_score) && line("score", scale, [mark(row)]),
  );
}

function progress(l: Live, found: Ranking | null): Node {
  const early = found?.ended_early.includes(l.model);
  const part = l.budget ? Math.min(1, l.evaluations / l.budget) : 0;
  return h(
    "span",
    { class: "share" },
    h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: { width: `${(100 * part).toFixed(0)}%` } })),
    h(
      "span",
      { class: "share-number" },
      `${count(l.evaluations)}${early ? ", stopped early" : l.budget ? ` of ${count(l.budget)}` : ""}`,
    ),
  );
}
