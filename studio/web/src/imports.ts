// Files that come in: by the button, or dropped anywhere on the page.
import { type Recording, Refusal, query, upload } from "./api";
import { choose, emit, project } from "./store";
import { act, button, bytes, complain, field, h, number, plural, read, tell } from "./ui";
import { forget } from "./traces";

/** Files whose refusal asked for something that a field can say. */
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
    input.value = ""; // the same file may be chosen again
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
  for (const [k, file] of files.entries()) {
    busy.textContent = `Importing ${file.name}${files.length > 1 ? ` (${k + 1} of ${files.length})` : ""} …`;
    try {
      const limit = project.upload_limit ?? Infinity;
      if (file.size > limit) throw new Error(`${file.name} has ${bytes(file.size)}: at most ${bytes(limit)} can be imported.`);
      added(await upload(`recordings${query({ name: file.name })}`, file));
    } catch (error) {
      const banner = complain(error);
      if (error instanceof Refusal) offer(file, error.message, banner);
    }
  }
  busy.textContent = "";
}

function added(r: Recording): void {
  const at = project.recordings.findIndex((x) => x.id === r.id);
  if (at < 0) project.recordings.push(r);
  else project.recordings[at] = r;
  emit("recordings");
  choose(r.id);
  tell(`${r.name}: ${plural(r.sweeps.length, "sweep")} imported.`);
}

/** If the sentence asks for the time step or for a channel: a field for it, and another try. */
function offer(file: File, sentence: string, banner: HTMLElement): void {
  const wantsStep = /--dt\b|\bdt\b|between (two )?samples/i.test(sentence);
  const wantsChannel = /current.channel|has no channel/i.test(sentence);
  if (!wantsStep && !wantsChannel) return;
  const dt = number("import-dt", "", { min: 0, placeholder: "0.1" });
  const channel = number("import-channel", "", { min: 0, step: 1 });
  const near = h("p", { class: "bad wide", hidden: true });
  const leave = () => {
    form.remove();
    banner.remove();
  };
  const retry = h("button", { type: "submit", id: "import-retry", class: "primary" }, "Try again");
  const form = h(
    "form",
    { class: "card row ends" },
    h("p", { class: "wide" }, sentence),
    wantsStep && field("ms between samples", dt),
    wantsChannel && field("channel of the current", channel),
    retry,
    button(null, "Leave it", leave),
    near,
  );
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    void act(retry, near, async () => {
      added(await upload(`recordings${query({ name: file.name, dt: read(dt), current_channel: read(channel) })}`, file));
      leave();
    });
  });
  refused.replaceChildren(form);
  (wantsStep ? dt : channel).focus();
}

/** A button that takes the file with the current of a recording that has none. */
export function currentButton(r: Recording, near: HTMLElement): HTMLElement {
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
    if (!file) return;
    void act(b, near, async () => {
      const with_ = await upload(`recordings/${r.id}/current${query({ name: file.name })}`, file);
      forget(r.id);
      added(with_);
    });
  });
  return h("span", null, input, b);
}
