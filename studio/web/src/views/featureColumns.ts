// Columns of a table of features. The definition of a feature is its tooltip.
import type { Feature } from "../state/api";
import { h } from "../ui/elements";
import { short } from "../ui/format";
import type { Column } from "../ui/table";

export const FEATURE_COLUMNS: Column<Feature>[] = [
  { head: "feature", value: (f) => f.label, show: (f) => h("abbr", { title: f.definition }, f.label), left: true },
  { head: "value", value: (f) => f.value, show: (f) => short(f.value, 4) },
  { head: "unit", value: (f) => f.unit, left: true },
];
