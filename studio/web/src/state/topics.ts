// Topics that views listen to, and the changes that are told on them.

// "seen": the page or a view of it came into sight, or went out of it
type Topic = "recordings" | "recording" | "sweep" | "jobs" | "bench" | "theme" | "seen";
const listeners = new Map<Topic, (() => void)[]>();

/** Returns what ends it. */
export function on(topic: Topic, what: () => void): () => void {
  listeners.set(topic, [...(listeners.get(topic) ?? []), what]);
  return () =>
    void listeners.set(
      topic,
      (listeners.get(topic) ?? []).filter((x) => x !== what),
    );
}

let told = 0;
/** How often this page has changed its recordings or jobs. */
export const changes = (): number => told;

export function emit(topic: Topic): void {
  if (topic === "recordings" || topic === "jobs") told++;
  for (const what of listeners.get(topic) ?? []) what();
}
