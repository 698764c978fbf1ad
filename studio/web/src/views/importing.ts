// Imports files, chosen with the button or dropped anywhere on the page.
import type { Recording } from "../state/api";
import { choose, project } from "../state/project";
import { Refusal, query, upload } from "../state/server";
import { emit } from "../state/topics";
import { forget } from "../state/traces";
import { button, field, h, number, read } from "../ui/elements";
import { bytes, plural } from "../ui/format";
import { act, calm, complain, inform, tell } from "../ui/messages";
import { type Made, type Unread, pair } from "./pairing";

/** Files that were refused because an option is missing, for which the page shows a field. */
export const refused = h("div", { id: "refused", class: "stack" });
const busy = h("span", { id: "import-busy", class: "soft" });

export function importing(openTrace: () => void): { control: HTMLElement; busy: HTMLElement } {
  const input = h("input", {
    type: "file",
    id: "import-file",
    class: "hidden",
    multiple: true,
    "aria-label": "Import recordings",
    tabindex: -1,
  });
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // so that the same file can be chosen again
    void take(files, openTrace);
  });
  const control = h(
    "span",
    null,
    input,
    button("import", "Import", () => input.click(), { class: "primary" }),
  );
  let depth = 0;
  const veil = h("div", { class: "veil", hidden: true }, h("p", null, "Drop recordings to import them"));
  document.body.append(veil);
  const carries = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (e) => {
    if (carries(e) && ++depth) veil.hidden = false;
  });
  addEventListener("dragleave", (e) => {
    if (carries(e) && --depth <= 0) {
      depth = 0;
      veil.hidden = true;
    }
  });
  addEventListener("dragover", (e) => carries(e) && e.preventDefault());
  addEventListener("drop", (e) => {
    if (!carries(e)) return;
    e.preventDefault();
    depth = 0;
    veil.hidden = true;
    void take([...(e.dataTransfer?.files ?? [])], openTrace);
  });
  return { control, busy };
}

async function take(files: File[], openTrace: () => void): Promise<void> {
  if (!files.length) return;
  openTrace();
  const [made, unread]: [Made[], Unread[]] = [[], []];
  for (const [k, file] of files.entries()) {
    busy.textContent = `Importing ${file.name}${files.length > 1 ? ` (${k + 1} of ${files.length})` : ""} …`;
    try {
      const limit = project.upload_limit ?? Infinity;
      if (file.size > limit) throw new Error(`${file.name} has ${bytes(file.size)}: at most ${bytes(limit)} can be imported.`);
      const recording = await upload(`recordings${query({ name: file.name })}`, file);
      added(recording);
      made.push({ file, recording });
    } catch (error) {
      unread.push({ file, error });
    }
  }
  for (const { file, error } of files.length > 1 ? await pair(made, unread, joined) : unread) {
    const banner = complain(error);
    if (error instanceof Refusal) offer(file, error, banner);
  }
  busy.textContent = "";
}

/** Show a recording that has got its current from another file of those that were taken in together. */
function joined(r: Recording, current: File | null): void {
  added(r);
  tell(
    current
      ? `${current.name} was taken as the current of ${r.name}.`
      : `Two of these files fit ${r.name} as its current: add one of them.`,
  );
}

function added(r: Recording): void {
  const at = project.recordings.findIndex((x) => x.id === r.id);
  if (at < 0) project.recordings.push(r);
  else project.recordings[at] = r;
  emit("recordings");
  choose(r.id);
  if (r.same_as)
    inform(
      `${r.name} is the same as ${r.same_as}, which this project has already; both are kept. × in the list of recordings removes one.`,
    );
  else tell(`${r.name}: ${plural(r.sweeps.length, "sweep")} imported.`);
}

/** The options of reading for which the page has a field: label, and an example of a value. */
const OPTIONS: Record<string, [label: string, example: string]> = {
  dt: ["ms between samples", "0.1"],
  voltage_channel: ["channel of the voltage", "number or name"],
  current_channel: ["channel of the current", "number or name"],
  units: ["units of voltage, current", "mV,pA"],
  electrode: ["electrode", "name"],
  spike_prominence: ["least height of a spike, mV", "20"],
};
const NUMBERS: Record<string, [least: number, most: number]> = { dt: [0.0001, 100], spike_prominence: [0.1, 200] };

/** A field for each of these options that has one: the input by the name of the option. */
function inputs(names: string[], id: string, tail = ""): Map<string, HTMLInputElement> {
  return new Map(
    names
      .filter((name) => name in OPTIONS)
      .map((name) => {
        const props = { placeholder: OPTIONS[name]![1] };
        const at = `${id}-${name.replaceAll("_", "-")}${tail}`;
        const range = NUMBERS[name];
        if (range) return [name, number(at, "", { ...props, min: range[0], max: range[1] })];
        return [name, h("input", { type: "text", id: at, maxlength: 200, ...props })];
      }),
  );
}

const fields = (all: Map<string, HTMLInputElement>) => [...all].map(([name, input]) => field(OPTIONS[name]![0], input));

const values = (all: Map<string, HTMLInputElement>) =>
  Object.fromEntries([...all].map(([name, input]) => [name, name in NUMBERS ? read(input) : input.value.trim()]));

let offers = 0;
const waiting = new Map<File, { error: Refusal; leave: () => void }>(); // files whose forms are shown

/** If an option would help: a form with a field for it and a button to try again, one for each file. */
function offer(file: File, refusal: Refusal, banner: HTMLElement): void {
  if (!refusal.options.some((name) => name in OPTIONS)) return;
  for (const f of [...refused.children]) if ((f as HTMLElement).dataset["file"] === file.name) f.remove(); // it was tried again
  const tail = refused.childElementCount ? `-${++offers}` : "";
  const asked = inputs(refusal.options, "import", tail);
  if (asked.size === 1) for (const input of asked.values()) input.required = true;
  const near = h("p", { class: "bad wide", hidden: true });
  const leave = () => {
    waiting.delete(file);
    form.remove();
    banner.remove();
    calm(near);
  };
  const retry = h("button", { type: "submit", id: `import-retry${tail}`, class: "primary" }, "Try again");
  const form = h(
    "form",
    { class: "card row ends", "data-file": file.name, "aria-label": file.name },
    h("p", { class: "wide" }, refusal.message),
    fields(asked),
    retry,
    button(null, "Leave it", leave),
    near,
  );
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    void act(retry, near, async () => {
      const recording = await upload(`recordings${query({ name: file.name, ...values(asked) })}`, file);
      added(recording);
      leave();
      waiting.delete(file);
      const others = [...waiting].map(([other, { error }]) => ({ file: other, error }));
      const left = await pair([{ file, recording }], others, joined);
      for (const { file: other } of others) if (!left.some((x) => x.file === other)) waiting.get(other)?.leave();
    });
  });
  waiting.set(file, { error: refusal, leave });
  refused.append(form);
  if (refused.childElementCount === 1) [...asked.values()][0]?.focus();
}

/** A form to read a recording again with other options, such as other channels: those that its format has. */
export function otherwise(r: Recording, near: HTMLElement): HTMLElement | null {
  const asked = inputs(r.reading_options, "again");
  if (!asked.size) return null;
  for (const [name, input] of asked) input.value = String(r.options[name] ?? "");
  const again = h("button", { type: "submit", id: "read-again" }, "Read it again");
  const form = h("form", { class: "row ends" }, fields(asked), again);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    void act(again, near, async () => {
      const other = await upload(`recordings/${r.id}/reading${query(values(asked))}`, new Blob());
      forget(r.id);
      added(other);
    });
  });
  return h("details", { id: "read-otherwise" }, h("summary", null, "Read it otherwise"), form);
}

/** A button to add the current to a recording that has none, from a file. */
export function currentButton(r: Recording, near: HTMLElement): HTMLElement {
  const take = async (file: File) => {
    const with_ = await upload(`recordings/${r.id}/current${query({ name: file.name })}`, file);
    forget(r.id);
    added(with_);
  };
  const input = h("input", {
    type: "file",
    id: "current-file",
    class: "hidden",
    "aria-label": "File with the current",
    tabindex: -1,
  });
  const b = button("add-current", "Add the current from a file", () => input.click());
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = "";
    if (file) void act(b, near, () => take(file));
  });
  return h("span", null, input, b);
}
