// A timer.

/** What is returned calls `what` once, `ms` after its last call. */
export function later(ms: number, what: () => void): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(what, ms);
  };
}
