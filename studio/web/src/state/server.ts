// Sends requests to the server, and decodes its binary answers.
import type { Again, Recording, Refused, SimulateRequest, Simulation, SimulationHead, Trace } from "./api";
import { emit } from "./topics";

/** The server has refused a request. The message is a sentence for the user; `options` are those that would help. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly options: string[] = [],
  ) {
    super(message);
  }
}

const kept = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name="spikefab-${name}"]`)?.content ?? "";
let token = kept("token");
let key = kept("key"); // with which this page gets the token of the next start of the server

// In a notebook's frame the browser may keep no cookie: the page has the token in its address, and gives it with each request.
const framed = new URLSearchParams(location.search).has("token");

/** The address of something under /api that the browser loads by itself: a picture, a download, a stream of events. */
export function source(path: string): string {
  return `/api/${path}${framed ? `${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}` : ""}`;
}

const GONE = "The Studio's server does not answer: does spikefab studio still run?";

/** Why the server cannot be reached, or does not let this page in; null while all is well. */
export let gone: Refusal | null = null;

function reached(why: Refusal | null): void {
  const before = gone;
  gone = why;
  if (before?.message !== why?.message) emit("server");
}

/** One request. A server that does not answer, or not within `patience` ms, is told to the page. */
async function ask(method: string, path: string, headers: Record<string, string>, body?: BodyInit, patience?: number) {
  try {
    const signal = patience === undefined ? undefined : AbortSignal.timeout(patience);
    const answer = await fetch(`/api/${path}`, { method, headers, body, credentials: "same-origin", signal });
    if (answer.status !== 503) return answer; // 503: the server is about to end
  } catch {
    // nobody answers
  }
  const refusal = new Refusal(GONE, 0);
  reached(refusal);
  throw refusal;
}

async function refusal(answer: Response, method: string, path: string): Promise<Refusal> {
  let sentence = `The server answered ${answer.status} to ${method} /api/${path.split("?")[0]}.`;
  let options: string[] = [];
  try {
    const said = (await answer.json()) as Refused;
    sentence = said.error ?? sentence;
    options = said.options ?? [];
  } catch {
    // the answer has no sentence: use our own
  }
  return new Refusal(sentence, answer.status, options);
}

let entering: Promise<void> | null = null;

/** Get the token of a server that was started anew. Throws a Refusal if it does not know this page. */
function enter(): Promise<void> {
  entering ??= (async () => {
    const answer = await ask("POST", "again", { "X-Spikefab-Key": key });
    if (!answer.ok) throw await refusal(answer, "POST", "again");
    const given = (await answer.json()) as Again;
    token = given.token;
    key = given.key;
  })().finally(() => (entering = null));
  return entering;
}

async function send(method: string, path: string, body?: BodyInit, type?: string, patience?: number): Promise<Response> {
  const headers = (): Record<string, string> => ({ "X-Spikefab-Token": token, ...(type ? { "Content-Type": type } : {}) });
  let answer = await ask(method, path, headers(), body, patience);
  if (answer.status === 403) {
    try {
      await enter(); // each start of the server has a token of its own
    } catch (error) {
      if (error instanceof Refusal) reached(error);
      throw error;
    }
    answer = await ask(method, path, headers(), body, patience);
  }
  reached(null);
  if (answer.ok) return answer;
  throw await refusal(answer, method, path);
}

const PATIENCE = 10_000; // ms: while it compiles a kernel, the server may be slow to answer

/** Ask whether the server is there. What it finds is told on the topic "server". */
export async function knock(): Promise<void> {
  await send("GET", "alive", undefined, undefined, PATIENCE).catch(() => {});
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await send(
    method,
    path,
    body === undefined ? undefined : JSON.stringify(body),
    body === undefined ? undefined : "application/json",
  );
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export function query(values: Record<string, string | number | null | undefined>): string {
  const set = Object.entries(values).filter(([, x]) => x !== null && x !== undefined && x !== "");
  return set.length ? `?${new URLSearchParams(set.map(([k, x]) => [k, String(x)]))}` : "";
}

export const get = <T>(path: string) => json<T>("GET", path);
export const post = <T>(path: string, body?: unknown) => json<T>("POST", path, body);
export const put = <T>(path: string, body: unknown) => json<T>("PUT", path, body);
export const remove = (path: string) => json<void>("DELETE", path);

export async function upload(path: string, file: Blob): Promise<Recording> {
  return (await (await send("POST", path, file, "application/octet-stream")).json()) as Recording;
}

export async function trace(id: string, sweep: number, range?: [number, number]): Promise<Trace> {
  const path = `recordings/${id}/trace${query({ sweep, from: range?.[0], to: range?.[1] })}`;
  const buffer = await (await send("GET", path)).arrayBuffer();
  const head = new DataView(buffer);
  const count = head.getUint32(0, true);
  return {
    bucket: head.getUint32(4, true),
    t0: head.getFloat64(8, true),
    step: head.getFloat64(16, true),
    voltage: new Float32Array(buffer, 32, count),
    current: head.getUint32(24, true) ? new Float32Array(buffer, 32 + 4 * count, count) : null,
    recorded: head.getUint32(28, true) ? new Float32Array(buffer, 32 + 8 * count, count) : null,
  };
}

export async function simulate(body: SimulateRequest): Promise<Simulation> {
  const buffer = await (await send("POST", "simulate", JSON.stringify(body), "application/json")).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as SimulationHead;
  const arrays: Record<string, Float32Array> = {};
  head.arrays.forEach((name, k) => {
    arrays[name] = new Float32Array(buffer, 4 + length + 4 * head.n * k, head.n);
  });
  return { ...head, ...arrays } as Simulation;
}
