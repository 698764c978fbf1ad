// The list of jobs, and the frame (state, buttons, files) that all views of a job share.
import type { Job, JobState } from "../state/api";
import { command, over, removeJob } from "../state/jobs";
import { source } from "../state/server";
import { button, h, say, set } from "../ui/elements";
import { duration, when } from "../ui/duration";
import { bytes } from "../ui/format";
import { act, tell } from "../ui/messages";
import { SameBox } from "../ui/sameBox";
import { Table } from "../ui/table";
import { type JobLabel, link } from "./jobLabel";
import type { JobTime } from "./jobTime";

async function discard(j: Job): Promise<void> {
  if (!confirm(`Delete "${j.title}" and its files?`)) return;
  await removeJob(j.id);
  tell("Deleted.");
}

const mark: Record<JobState, string> = {
  queued: "…",
  running: "▸",
  paused: "‖",
  done: "✓",
  cancelled: "–",
  failed: "✕",
  stopped: "!",
};

export function state(j: Job): HTMLElement {
  const more: Partial<Record<JobState, string>> = { stopped: ": its worker died", queued: ": starts when another has ended" };
  const words = `${j.state}${more[j.state] ?? ""}`;
  return h("span", { class: `state ${j.state}`, title: j.error }, `${mark[j.state]} ${words}`);
}

/** The elements that all views of a job share. */
interface Frame {
  title: HTMLElement;
  badge: HTMLElement;
  resume: HTMLElement;
  cancel: HTMLElement;
  near: HTMLElement;
  files: HTMLElement;
  same: SameBox;
  label: JobLabel;
  time: JobTime;
}

export function told(view: Frame, j: Job): void {
  say(view.title, j.title);
  if (view.badge.textContent !== state(j).textContent) set(view.badge, state(j)); // replaced only if it changes, because screen readers announce it
  view.resume.hidden = j.state !== "paused" && j.state !== "stopped";
  view.cancel.hidden = over(j.state);
  view.near.hidden = !j.error;
  view.near.textContent = j.error ?? "";
  set(view.files, j.files.length > 0 && [h("h3", null, "Files"), files(j)]);
  view.same.update(j);
  view.label.update(j);
  view.time.update(j);
}

/** A table of jobs with buttons to open, cancel, resume and delete them. */
export function jobTable(id: string, label: string, open: (j: Job) => void): Table<Job> {
  const doing = (j: Job, text: string, name: string, what: () => Promise<void>) =>
    button(
      null,
      text,
      (e) => {
        e.stopPropagation();
        void act(e.currentTarget as HTMLButtonElement, undefined, what);
      },
      { class: "small", "aria-label": `${name}: ${j.title}` },
    );
  return new Table<Job>(
    [
      {
        head: "job",
        value: (j) => j.title,
        show: (j) =>
          h("span", null, h("a", { class: "link", href: link(j) }, j.title), j.note && h("span", { class: "soft note" }, j.note)),
        left: true,
        wrap: true,
      },
      { head: "kind", value: (j) => j.kind, left: true },
      { head: "begun", value: (j) => j.created, show: (j) => when(j.created), left: true },
      { head: "took", value: (j) => j.spent, show: (j) => (j.spent && !j.since ? duration(j.spent) : "–") },
      { head: "state", value: (j) => j.state, show: state, left: true },
      {
        head: "actions",
        value: () => "",
        left: true,
        bare: true,
        show: (j) =>
          h(
            "span",
            { class: "row" },
            (j.state === "paused" || j.state === "stopped") && doing(j, "Resume", "Resume", () => command(j.id, "resume")),
            !over(j.state) && doing(j, "Cancel", "Cancel", () => command(j.id, "cancel")),
            (over(j.state) || j.state === "stopped") && doing(j, "Delete", "Delete", () => discard(j)),
          ),
      },
    ],
    { id, label, key: (j) => j.id, onrow: open, empty: "None yet." },
  );
}

export function files(j: Job | undefined): HTMLElement {
  const all = j?.files ?? [];
  return h(
    "ul",
    { class: "files" },
    all.map((f) => {
      return h(
        "li",
        null,
        h("a", { href: source(`jobs/${j!.id}/files/${encodeURIComponent(f.name)}`), download: f.name }, f.name),
        h("span", { class: "soft" }, ` ${f.what ? `${f.what}, ` : ""}${bytes(f.bytes)}`),
      );
    }),
  );
}
