// Sends requests to the server, and decodes its binary answers.
import type { Recording, Refused, SimulateRequest, Simulation, SimulationHead, Trace } from "./api";

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

const token = () => document.querySelector<HTMLMetaElement>('meta[name="spikefab-token"]')?.content ?? "";

// In a notebook's frame the browser may keep no cookie: the page has the token in its address, and gives it with each request.
const framed = new URLSearchParams(location.search).has("token");

/** The address of something under /api that the browser loads by itself: a picture, a download, a stream of events. */
export function source(path: string): string {
  return `/api/${path}${framed ? `${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token())}` : ""}`;
}

async function send(method: string, path: string, body?: BodyInit, type?: string): Promise<Response> {
  const headers: Record<string, string> = { "X-Spikefab-Token": token() };
  if (type) headers["Content-Type"] = type;
  let answer: Response;
  try {
    answer = await fetch(`/api/${path}`, { method, headers, body, credentials: "same-origin" });
  } catch {
    throw new Refusal("The Studio's server does not answer: is `spikefab studio` still running?", 0);
  }
  if (answer.ok) return answer;
  let sentence = `The server answered ${answer.status} to ${method} /api/${path.split("?")[0]}.`;
  let options: string[] = [];
  try {
    const said = (await answer.json()) as Refused;
    sentence = said.error ?? sentence;
    options = said.options ?? [];
  } catch {
    // the answer has no sentence: use our own
  }
  throw new Refusal(sentence, answer.status, options);
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
