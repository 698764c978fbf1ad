// The name and the note of a job: shown, changed, and the link of the job copied.
import type { Job } from "../state/api";
import { relabel } from "../state/jobs";
import { copy } from "../ui/clipboard";
import { button, field, h, say } from "../ui/elements";
import { act } from "../ui/messages";

/** The address that opens a job, without the token: it works in a browser in which the Studio is open. */
export const link = (j: Job): string => `#${j.kind === "fit" ? "fit" : "deploy"}/${j.id}`;

export class JobLabel {
  readonly el: HTMLElement;
  readonly tools: HTMLElement;
  private readonly note = h("p", { class: "note", hidden: true });
  private readonly form: HTMLFormElement;
  private readonly name: HTMLInputElement;
  private readonly text: HTMLTextAreaElement;
  private readonly near = h("p", { class: "bad wide", hidden: true });
  private j: Job | undefined;

  constructor(id: string) {
    this.name = h("input", { type: "text", id: `${id}-name`, maxlength: 200 });
    this.text = h("textarea", { id: `${id}-note`, maxlength: 4000, rows: 3 });
    const save = h("button", { type: "submit", id: `${id}-save`, class: "primary" }, "Save");
    this.form = h(
      "form",
      { class: "stack label-form", hidden: true },
      field("Name", this.name, "Left empty, it is made of the recording, the models and the score."),
      field("Note", this.text),
      h(
        "div",
        { class: "row" },
        save,
        button(null, "Leave it", () => this.close()),
      ),
      this.near,
    );
    this.form.addEventListener("submit", (e) => {
      e.preventDefault();
      const j = this.j;
      if (!j) return;
      void act(save, this.near, async () => {
        await relabel(j.id, { name: this.name.value, note: this.text.value });
        this.close();
      });
    });
    this.form.addEventListener("keydown", (e) => e.key === "Escape" && this.close());
    this.tools = h(
      "span",
      { class: "row" },
      button(`${id}-edit`, "Name and note", () => this.open(), { class: "small" }),
      button(`${id}-link`, "Copy link", () => this.j && void copy(`${location.origin}/${link(this.j)}`), { class: "small" }),
    );
    this.el = h("div", { id }, this.note, this.form);
  }

  update(j: Job): void {
    if (j.id !== this.j?.id) this.close();
    this.j = j;
    say(this.note, j.note);
    this.note.hidden = !j.note;
  }

  private open(): void {
    if (!this.j) return;
    this.name.value = this.j.name;
    this.name.placeholder = this.j.name ? "" : this.j.title;
    this.text.value = this.j.note;
    this.form.hidden = false;
    this.name.focus();
  }

  private close(): void {
    this.form.hidden = true;
  }
}
