// A box with the commands that do the same without this page.
import { copy } from "./clipboard";
import { button, h, set } from "./elements";

/** A box, closed at first, with the command line and the Python code that do the same. */
export class SameBox {
  readonly el = h("details", { class: "same" });
  private shown = "";

  update(of: { command?: string | null; python?: string | null } | null): void {
    const parts = (
      [
        ["Command line", of?.command],
        ["Python", of?.python],
      ] as const
    ).filter(([, text]) => text);
    this.el.hidden = parts.length === 0;
    const key = JSON.stringify(parts);
    if (key === this.shown) return; // unchanged: no flicker, and a selection in it is kept
    this.shown = key;
    set(
      this.el,
      h("summary", null, "The same from the command line and Python"),
      parts.map(([name, text]) =>
        h(
          "div",
          { class: "snippet" },
          h(
            "div",
            { class: "row" },
            h("span", { class: "soft" }, name),
            button(null, "Copy", () => void copy(text!), { class: "small", "aria-label": `Copy: ${name}` }),
          ),
          h("pre", { tabindex: 0, "aria-label": name }, text!),
        ),
      ),
    );
  }
}
