// Shows how much of a resource is used.
import { h } from "./elements";
import { count, finite } from "./format";

/** How much of an available amount is used, as a bar and as numbers. */
export function share(label: string, used: number, there: number): HTMLElement {
  const part = there > 0 ? used / there : 0;
  return h(
    "div",
    { class: "share" },
    h("span", { class: "share-name" }, label),
    h(
      "span",
      { class: "bar", "aria-hidden": "true" },
      h("i", { class: part > 1 ? "over" : "", style: { width: `${Math.min(100, 100 * part).toFixed(1)}%` } }),
    ),
    h(
      "span",
      { class: "share-number" },
      `${count(used)} of ${count(there)}${finite(part) && there ? ` · ${(100 * part).toFixed(part < 0.1 ? 1 : 0)}%` : ""}`,
    ),
  );
}
