// The topics to which views listen, and the functions that report a change on a topic.

// "seen": the page or a view has become visible or hidden; "server": the server has gone, or is there again
type Topic = "server" | "recordings" | "recording" | "sweep" | "jobs" | "bench" | "theme" | "seen";
const listeners = new Map<Topic, (() => void)[]>();

/** Listen to a topic. Returns a function that stops listening. */
export function on(topic: Topic, what: () => void): () => void {
  listeners.set(topic, [...(listeners.get(topic) ?? []), what]);
  return () =>
    void listeners.set(
      topic,
      (listeners.get(topic) ?? []).filter((x) => x !== what),
    );
}

let told = 0;
/** The number of changes that this page has made to its recordings or jobs. */
export const changes = (): number => told;

export function emit(topic: Topic): void {
  if (topic === "recordings" || topic === "jobs") told++;
  for (const what of listeners.get(topic) ?? []) what();
}
