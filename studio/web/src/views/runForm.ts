// The fields of a run in a board: its port, how it goes, what is sampled, the current and the noise.
import { keep, session } from "../state/session";
import { button, field, h, number, say, select } from "../ui/elements";
import { short } from "../ui/format";

const OTHER = "other"; // a port whose path is typed
const PORTS: [string, string][] = [
  ["sim", "simulated: the whole top level (Verilator)"],
  ["sim:reference", "simulated: the reference"],
  ["", "a board: found by its USB ids"],
  [OTHER, "other…"],
];
const WAYS: [string, string][] = [
  ["lockstep", "lockstep: steps wait for the host"],
  ["free-run", "free-run: by the clock of the board"],
];
const EVERY: [string, string][] = [
  ["1", "1 step"],
  ["4", "4 steps"],
  ["16", "16 steps"],
  ["256", "256 steps"],
  ["32768", "spikes only"],
];
const CURRENTS: [string, string][] = [
  ["recorded", "as it was recorded"],
  ["step", "a step"],
];

/** What a form needs to know of the neuron that would run. */
interface Runnable {
  span: number; // nA: its input takes as much in either direction
  recorded: boolean; // whether there is a recorded current
}

export class RunForm {
  readonly el = h("section", { id: "run", class: "card" });
  readonly start: HTMLButtonElement;
  private readonly place = h("p", { class: "soft" });
  private readonly port = select("run-port", PORTS, session.run.port);
  private readonly path = h("input", {
    type: "text",
    id: "run-path",
    value: session.run.path,
    placeholder: "/dev/ttyUSB1",
    required: true,
    spellcheck: "false",
    autocomplete: "off",
  });
  private readonly way = select("run-way", WAYS, session.run.way);
  private readonly every = select("run-every", EVERY, String(session.run.every));
  private readonly current = select("run-current", CURRENTS, session.run.current);
  private readonly step = number("run-step", session.run.step ?? "", { required: true });
  private readonly seconds = number("run-seconds", session.run.seconds, {
    min: 0.001,
    max: 86400,
    required: true,
  });
  private readonly noise = number("run-noise", session.run.noise, { min: 0, required: true });
  private readonly typed = field("Path of the port", this.path);
  private readonly ofStep = [field("Step, nA", this.step), field("Seconds", this.seconds)];
  private neuron: Runnable | null = null;

  constructor(begin: () => void) {
    this.start = button("run-start", "Run", begin, { class: "primary" });
    this.el.append(
      h("h2", null, "Run in a board"),
      h(
        "p",
        { class: "soft" },
        "A current through the neuron in a board, or in a simulated one. Each sample and each spike is compared with the reference. A step begins after a tenth of its time.",
      ),
      this.place,
      h(
        "div",
        { class: "row ends" },
        field("Port", this.port),
        this.typed,
        field("Way", this.way),
        field("Samples every", this.every),
        field("Current", this.current),
        this.ofStep,
        field("Noise, nA (0: none)", this.noise),
        this.start,
      ),
    );
    this.step.addEventListener("change", () => (session.run.step = this.step.value ? this.step.valueAsNumber : null));
    this.el.addEventListener("change", () => this.changed());
  }

  /** Show what fits the chosen neuron and board. */
  fill(neuron: Runnable | null, board: string | null, ready: boolean): void {
    this.neuron = neuron;
    this.start.disabled = !ready;
    say(this.place, board ? `The board is the one that is chosen above: ${board}.` : "");
    this.arrange();
  }

  /** Choose a port, and show the form. */
  choosePort(port: string): void {
    this.port.value = port;
    this.changed();
    this.el.scrollIntoView({ block: "start" });
    this.start.focus({ preventScroll: true });
  }

  /** What to ask of the server; null if a field is wrong, which its message says. */
  asked(): Record<string, unknown> | null {
    const shown = [this.path, this.step, this.seconds, this.noise].filter((e) => !e.closest("[hidden]"));
    if (!shown.every((e) => e.reportValidity())) return null;
    const step = { current: "step", step: this.step.valueAsNumber, seconds: this.seconds.valueAsNumber };
    return {
      board: session.board,
      port: this.port.value === OTHER ? this.path.value.trim() : this.port.value,
      way: this.way.value,
      every: Number(this.every.value),
      ...(this.current.value === "step" ? step : { current: "recorded" }),
      noise: this.noise.valueAsNumber,
    };
  }

  private changed(): void {
    const run = session.run;
    run.port = this.port.value;
    run.path = this.path.value;
    run.way = this.way.value;
    run.every = Number(this.every.value);
    if (this.neuron?.recorded) run.current = this.current.value;
    if (this.seconds.validity.valid) run.seconds = this.seconds.valueAsNumber;
    if (this.noise.validity.valid) run.noise = this.noise.valueAsNumber;
    keep();
    this.arrange();
  }

  private arrange(): void {
    const recorded = this.neuron?.recorded ?? false;
    this.current.options[0]!.disabled = !recorded;
    this.current.value = recorded ? session.run.current : "step";
    for (const e of this.ofStep) e.hidden = this.current.value !== "step";
    this.typed.hidden = this.port.value !== OTHER;
    if (session.run.step === null && this.neuron) this.step.value = short(this.neuron.span / 4, 3);
  }
}
