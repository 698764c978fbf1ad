// Delays calls.

/** Returns a function that calls `what` once, `ms` after the last time it was called itself. */
export function later(ms: number, what: () => void): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(what, ms);
  };
}
