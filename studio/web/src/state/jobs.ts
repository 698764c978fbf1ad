// Jobs: their streams of events, which replay from the beginning, and what can be done to them.
import type { Job, JobEvent, JobState, Ranking } from "./api";
import { drop, hold, job } from "./project";
import { report } from "./report";
import { Refusal, get, post, remove } from "./server";
import { on } from "./topics";

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
    if (state?.type === "state" && j) {
      const error = state.error ?? null; // a state that is no end comes without
      if (state.state !== j.state || error !== j.error) hold({ ...j, state: state.state, error });
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
    else if (!(error instanceof Refusal && error.status === 0)) report(error); // `watch` says that the server is away
  }
}

export async function command(id: string, what: "pause" | "resume" | "cancel"): Promise<void> {
  hold(await post<Job>(`jobs/${id}/${what}`));
}

/** Away with a job and its files. */
export async function removeJob(id: string): Promise<void> {
  await remove(`jobs/${id}`);
  rankings.delete(id);
  drop(id);
}
