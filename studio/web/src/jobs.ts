// Jobs: their streams of events, which replay from the beginning, and what can be done to them.
import { type Job, type JobEvent, type JobState, type Ranking, Refusal, get, post, remove } from "./api";
import { drop, hold, job, on } from "./store";
import { Table } from "./table";
import { type SameBox, act, button, bytes, complain, h, say, set, tell } from "./ui";

const OVER: JobState[] = ["done", "cancelled", "failed"];
export const over = (state: JobState | undefined) => !!state && OVER.includes(state);

/**
 * Every event of a job once, in bunches, from the first on. Returns what ends it.
 * The server ends the stream of a job that rests; it is asked for again when the job goes on, and what came before is skipped.
 * A browser keeps at most six streams open to a server, of all its pages together: only while its view is seen is a job followed.
 */
export function follow(id: string, take: (events: JobEvent[]) => void, visible: () => boolean = () => true): () => void {
  let stream: EventSource | null = null;
  let bunch: JobEvent[] = [];
  let timer = 0;
  let seen = -1;
  let ended = false;
  let last: JobState | undefined;
  const flush = () => {
    timer = 0;
    const events = bunch;
    bunch = [];
    const state = events.findLast((e) => e.type === "state");
    const j = job(id);
    if (state?.type === "state" && j && (state.state !== j.state || state.error !== j.error))
      hold({ ...j, state: state.state, error: state.error });
    take(events);
  };
  const close = () => {
    stream?.close();
    stream = null;
  };
  const end = () => {
    if (ended) return;
    ended = true;
    close();
    clearTimeout(timer);
    for (const deaf of listening) deaf();
  };
  const resting = () => last === "stopped" || last === "paused";
  const open = () => {
    if (ended || stream || resting() || !job(id) || document.hidden || !visible()) return;
    const mine = (stream = new EventSource(`/api/jobs/${id}/events?after=${Math.max(0, seen)}`));
    mine.onmessage = (message: MessageEvent<string>) => {
      const e = JSON.parse(message.data) as JobEvent;
      // a state that a dead worker could not tell has no number: the browser gives it the one before
      const n = message.lastEventId === "" ? seen : Number(message.lastEventId);
      if (n < seen || (n === seen && e.type !== "state")) return;
      seen = n;
      bunch.push(e);
      if (e.type === "state") last = e.state;
      if (over(last)) {
        flush();
        end();
        void refresh(id);
      } else timer ||= window.setTimeout(flush, 100);
    };
    mine.onerror = () => {
      if (resting())
        close(); // nothing comes until it is resumed
      else if (mine.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => void refresh(id).then(open), 2000); // the server was away, or the job is gone
      }
    };
  };
  const listening = [
    on("jobs", () => {
      if (!job(id)) return end();
      if (stream || !resting() || job(id)?.state !== "running") return;
      last = undefined;
      open();
    }),
    on("seen", () => (document.hidden || !visible() ? close() : open())),
  ];
  open();
  return end;
}

/** The ranking of a fit that is over; null where it has none. */
const rankings = new Map<string, Promise<Ranking | null>>();
export function ranking(id: string): Promise<Ranking | null> {
  let found = rankings.get(id);
  if (!found) {
    found = new Promise((resolve) => {
      let answer: Ranking | null = null;
      const stop = follow(id, (events) => {
        answer = events.find((e) => e.type === "ranking") ?? answer;
        if (answer || events.some((e) => e.type === "state" && over(e.state))) {
          resolve(answer);
          setTimeout(stop, 0);
        }
      });
    });
    rankings.set(id, found);
  }
  return found;
}

/** A job as it is now; away with one that was deleted elsewhere. */
async function refresh(id: string): Promise<void> {
  try {
    hold(await get<Job>(`jobs/${id}`));
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) drop(id);
    else if (!(error instanceof Refusal && error.status === 0)) complain(error); // `watch` says that the server is away
  }
}

export async function command(id: string, what: "pause" | "resume" | "cancel"): Promise<void> {
  hold(await post<Job>(`jobs/${id}/${what}`));
}

async function discard(j: Job): Promise<void> {
  if (!confirm(`Delete "${j.title}" and its files?`)) return;
  await remove(`jobs/${j.id}`);
  rankings.delete(j.id);
  drop(j.id);
  tell("Deleted.");
}

const mark: Record<JobState, string> = { running: "▸", paused: "‖", done: "✓", cancelled: "–", failed: "✕", stopped: "!" };

export function state(j: Job): HTMLElement {
  const words = j.state === "stopped" ? "stopped: its worker died" : j.state;
  return h("span", { class: `state ${j.state}`, title: j.error }, `${mark[j.state]} ${words}`);
}

/** What a view of a job shows around its own part. */
interface Frame {
  title: HTMLElement;
  badge: HTMLElement;
  resume: HTMLElement;
  cancel: HTMLElement;
  near: HTMLElement;
  files: HTMLElement;
  same: SameBox;
}

export function told(view: Frame, j: Job): void {
  say(view.title, j.title);
  if (view.badge.textContent !== state(j).textContent) set(view.badge, state(j)); // a status is read out when it changes
  view.resume.hidden = j.state !== "paused" && j.state !== "stopped";
  view.cancel.hidden = over(j.state);
  view.near.hidden = !j.error;
  view.near.textContent = j.error ?? "";
  set(view.files, j.files.length > 0 && [h("h3", null, "Files"), files(j)]);
  view.same.update(j);
}

/** A list of jobs: open, cancel, resume, delete. */
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
      { head: "job", value: (j) => j.title, show: (j) => h("button", { type: "button", class: "link" }, j.title), left: true },
      { head: "kind", value: (j) => j.kind, left: true },
      { head: "begun", value: (j) => j.created, show: (j) => when(j.created), left: true },
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

function when(iso: string): string {
  const t = new Date(iso);
  return Number.isNaN(t.getTime()) ? iso : t.toLocaleString("sv-SE").slice(0, 16);
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
        h("a", { href: `/api/jobs/${j!.id}/files/${encodeURIComponent(f.name)}`, download: f.name }, f.name),
        h("span", { class: "soft" }, ` ${f.what ? `${f.what}, ` : ""}${bytes(f.bytes)}`),
      );
    }),
  );
}
