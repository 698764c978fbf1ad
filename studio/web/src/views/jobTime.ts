// How long a job has run, and, of a fit, how long it will still take.
import type { Job } from "../state/api";
import { over } from "../state/jobs";
import { h, say } from "../ui/elements";
import { about, duration } from "../ui/duration";

export class JobTime {
  readonly el: HTMLElement;
  private j: Job | undefined;
  private left: { seconds: number; at: number } | null = null; // estimate of the rest, s, and when it came, ms

  constructor(
    id: string,
    private readonly visible: () => boolean,
  ) {
    this.el = h("span", { id, class: "soft" });
    setInterval(() => this.visible() && this.j?.since && this.show(), 1000);
  }

  update(j: Job): void {
    if (j.id !== this.j?.id) this.left = null;
    this.j = j;
    this.show();
  }

  /** Take note of an estimate of the time until the last evaluation of a fit, s. */
  remaining(seconds: number | null | undefined): void {
    this.left = typeof seconds === "number" ? { seconds, at: Date.now() } : null;
    this.show();
  }

  private show(): void {
    const { j, left } = this;
    if (!j || j.spent === null) return say(this.el, "");
    const spent = j.spent + (j.since ? Math.max(0, (Date.now() - Date.parse(j.since)) / 1000) : 0);
    if (!j.since) return say(this.el, spent ? `${over(j.state) ? "took" : "has run"} ${duration(spent)}` : "");
    const rest = left && left.seconds - (Date.now() - left.at) / 1000;
    const told = rest === null ? "" : left!.seconds > 0 ? `, ${about(rest)} left` : ", scoring";
    say(this.el, `${duration(spent)} so far${told}`);
  }
}
