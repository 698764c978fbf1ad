// Jobs: their streams of events, which start again from the first event, and the actions on them.
import type { Job, JobState } from "./api";
import type { JobEvent, Ranking } from "./events";
import { drop, hold, job } from "./project";
import { report } from "./report";
import { Refusal, get, post, put, remove, source } from "./server";
import { on } from "./topics";

const OVER: JobState[] = ["done", "cancelled", "failed"];
export const over = (state: JobState | undefined) => !!state && OVER.includes(state);

/**
 * Receive every event of a job once, in groups, from the first on. Returns a function that stops it.
 * The server ends the stream of a job that does not run; it is opened again when the job continues, and old events are skipped.
 * A browser allows six open streams to a server, over all pages: a job is followed only while its view is visible.
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
    if (state?.type === "state" && j) {
      const error = state.error ?? null; // a state that is not the end has no error
      if (state.state !== j.state || error !== j.error) {
        hold({ ...j, state: state.state, error });
        if (!over(state.state)) void refresh(id); // for the times
      }
    }
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
    const mine = (stream = new EventSource(source(`jobs/${id}/events?after=${Math.max(0, seen)}`)));
    mine.onmessage = (message: MessageEvent<string>) => {
      const e = JSON.parse(message.data) as JobEvent;
      // the event about a worker that died has no number; the browser gives it the number of the event before
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
        close(); // there are no events until it is resumed
      else if (mine.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => void refresh(id).then(open), 2000); // the server could not be reached, or the job was deleted
      }
    };
  };
  const listening = [
    on("jobs", () => {
      if (!job(id)) return end();
      if (stream || !resting() || !["running", "queued"].includes(job(id)!.state)) return;
      last = undefined;
      open();
    }),
    on("seen", () => (document.hidden || !visible() ? close() : open())),
  ];
  open();
  return end;
}

/** The ranking of a finished fit; null if it has none. */
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

/** Load the current state of a job; remove it if it was deleted elsewhere. */
async function refresh(id: string): Promise<void> {
  try {
    hold(await get<Job>(`jobs/${id}`));
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) drop(id);
    else if (!(error instanceof Refusal && error.status === 0)) report(error); // `watch` reports a server that cannot be reached
  }
}

export async function command(id: string, what: "pause" | "resume" | "cancel"): Promise<void> {
  hold(await post<Job>(`jobs/${id}/${what}`));
}

/** Give a job a name or a note. */
export async function relabel(id: string, label: { name?: string; note?: string }): Promise<void> {
  hold(await put<Job>(`jobs/${id}`, label));
}

/** Delete a job and its files. */
export async function removeJob(id: string): Promise<void> {
  await remove(`jobs/${id}`);
  rankings.delete(id);
  drop(id);
}
