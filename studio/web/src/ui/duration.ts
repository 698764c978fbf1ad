// Times as texts.

/** Seconds as a text of at most two units, such as "42 s" or "3 min 20 s". */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
  const minutes = Math.round(s / 60);
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** A time that is only an estimate, rounded: "about 40 s", "about 3 min". */
export function about(seconds: number): string {
  if (seconds < 5) return "a few seconds";
  if (seconds < 55) return `about ${5 * Math.round(seconds / 5)} s`;
  return `about ${duration(60 * Math.max(1, Math.round(seconds / 60)))}`;
}

/** The local date and time, to the minute, of a time stamp. */
export function when(iso: string): string {
  const t = new Date(iso);
  return Number.isNaN(t.getTime()) ? iso : t.toLocaleString("sv-SE").slice(0, 16);
}
