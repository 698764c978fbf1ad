// Elements and the small pieces that every view is made of.
import { Refusal } from "./api";

type Child = Node | string | number | null | undefined | false | Child[];
type Props = Record<string, unknown>;

function fill(e: Element, props: Props | null, children: Child[]): void {
  for (const [name, x] of Object.entries(props ?? {})) {
    if (x === undefined || x === null || x === false) continue;
    if (name.startsWith("on") && typeof x === "function") e.addEventListener(name.slice(2), x as EventListener);
    else if (name === "style")
      for (const [k, v] of Object.entries(x as Record<string, string>)) (e as HTMLElement).style.setProperty(k, v);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "open" || name === "multiple")
      (e as unknown as Props)[name] = x;
    else e.setAttribute(name, x === true ? "" : String(x));
  }
  append(e, children);
}

function append(e: Element, children: Child[]): void {
  for (const c of children) {
    if (Array.isArray(c)) append(e, c);
    else if (c !== null && c !== undefined && c !== false) e.append(c instanceof Node ? c : String(c));
  }
}

/** An element: attributes, `on...` listeners, `style` as an object (the policy of the page forbids the attribute). */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  props?: Props | null,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(name);
  fill(e, props ?? null, children);
  return e;
}

export function svg(name: string, props?: Props | null, ...children: Child[]): SVGElement {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(e, props ?? null, children);
  return e;
}

export function set(e: Element, ...children: Child[]): void {
  e.replaceChildren();
  append(e, children);
}

/** `text` into `e` unless it is there already: a live region speaks only when something changed. */
export function say(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

let serial = 0;
/** A label over its control. */
export function field(label: string, control: HTMLElement, hint?: Child): HTMLElement {
  const inner = control.matches("input, select, textarea") ? control : control.querySelector("input, select, textarea");
  if (inner && !inner.id) inner.id = `field-${++serial}`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: inner?.id }, label),
    control,
    hint ? h("span", { class: "soft" }, hint) : null,
  );
}

export function number(id: string, value: number | "", props?: Props): HTMLInputElement {
  return h("input", { type: "number", id, value, step: "any", inputmode: "decimal", ...props });
}

/** The number in an input, or null where there is none. */
export function read(input: HTMLInputElement): number | null {
  const x = input.valueAsNumber;
  return Number.isFinite(x) ? x : null;
}

/** Why a number field's text is not taken, by its least, greatest and step: a sentence, or "" where it is. */
function wrong(input: HTMLInputElement, name: string): string {
  const x = read(input);
  const [lo, hi] = [Number(input.min || -Infinity), Number(input.max || Infinity)];
  if (x === null) return `${name} must be a number.`;
  if (x < lo || x > hi) return `${name} can be ${short(lo)} ${finite(hi) ? `to ${short(hi)}` : "or more"}, not ${short(x)}.`;
  return input.step === "1" && x % 1 ? `${name} must be a whole number.` : "";
}

/** A number field that gives only what it allows; for anything else a sentence, and the last good number when it is left. */
export function guard(
  input: HTMLInputElement,
  name: string,
  good: () => number,
  take: (x: number, at: number) => void,
  also: (x: number) => string = () => "", // what forbids a number that is within its bounds
): void {
  input.addEventListener("change", (e) => {
    const x = read(input);
    input.setCustomValidity(wrong(input, name) || also(x!));
    if (input.reportValidity() && x !== null) take(x, e.timeStamp);
  });
  input.addEventListener("input", () => input.setCustomValidity(""));
  input.addEventListener("blur", () => {
    if (!input.validity.customError) return;
    tell(input.validationMessage); // the browser's own bubble goes with the focus
    input.setCustomValidity("");
    input.value = short(good());
  });
}

export function select(id: string, options: [value: string, text: string][], value?: string, props?: Props): HTMLSelectElement {
  const e = h(
    "select",
    { id, ...props },
    options.map(([v, t]) => h("option", { value: v }, t)),
  );
  if (value !== undefined && options.some(([v]) => v === value)) e.value = value;
  return e;
}

export function choices(e: HTMLSelectElement, options: [value: string, text: string][], value?: string): void {
  set(
    e,
    options.map(([v, t]) => h("option", { value: v }, t)),
  );
  if (value !== undefined && options.some(([v]) => v === value)) e.value = value;
}

export function check(id: string, label: string, checked: boolean, onchange: (on: boolean) => void): HTMLElement {
  const box = h("input", { type: "checkbox", id, checked });
  box.addEventListener("change", () => onchange(box.checked));
  return h("label", { class: "check" }, box, h("span", null, label));
}

export function button(id: string | null, text: string, onclick: (e: Event) => void, props?: Props): HTMLButtonElement {
  return h("button", { type: "button", id, onclick, ...props }, text);
}

export const finite = (x: unknown): x is number => typeof x === "number" && Number.isFinite(x);

/** Fixed digits, or a dash for what is not known. */
export function fix(x: unknown, digits = 3): string {
  return finite(x) ? x.toFixed(digits) : "–";
}

/** About five significant digits, never in a form that is longer than the number deserves. */
export function short(x: unknown, digits = 5): string {
  return finite(x) ? String(Number(x.toPrecision(digits))) : "–";
}

export const count = (x: unknown): string => (finite(x) ? x.toLocaleString("en-US") : "–");

export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

export const plural = (n: number, thing: string) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // in a frame (Jupyter) the clipboard may be closed to us: the old way works there
    const area = h("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  tell("Copied.");
}

export function download(name: string, text: string, type = "text/csv"): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** "Command line" and "Python" that do the same, folded away. */
export class SameBox {
  readonly el = h("details", { class: "same" });
  private shown = "";

  update(of: { command?: string | null; python?: string | null } | null): void {
    const parts = (
      [
        ["Command line", of?.command],
        ["Python", of?.python],
      ] as const
    ).filter(([, text]) => text);
    this.el.hidden = parts.length === 0;
    const key = JSON.stringify(parts);
    if (key === this.shown) return; // nothing flickers, and a selection in it stays
    this.shown = key;
    set(
      this.el,
      h("summary", null, "The same from the command line and Python"),
      parts.map(([name, text]) =>
        h(
          "div",
          { class: "snippet" },
          h(
            "div",
            { class: "row" },
            h("span", { class: "soft" }, name),
            button(null, "Copy", () => void copy(text!), { class: "small", "aria-label": `Copy: ${name}` }),
          ),
          h("pre", { tabindex: 0, "aria-label": name }, text!),
        ),
      ),
    );
  }
}

export function same(of: { command?: string | null; python?: string | null } | null): HTMLElement {
  const box = new SameBox();
  box.update(of);
  return box.el;
}

/** A used share of what is there, as a bar and as numbers. */
export function share(label: string, used: number, there: number): HTMLElement {
  const part = there > 0 ? used / there : 0;
  return h(
    "div",
    { class: "share" },
    h("span", { class: "share-name" }, label),
    h(
      "span",
      { class: "bar", "aria-hidden": "true" },
      h("i", { class: part > 1 ? "over" : "", style: { width: `${Math.min(100, 100 * part).toFixed(1)}%` } }),
    ),
    h(
      "span",
      { class: "share-number" },
      `${count(used)} of ${count(there)}${finite(part) && there ? ` · ${(100 * part).toFixed(part < 0.1 ? 1 : 0)}%` : ""}`,
    ),
  );
}

const status = h("div", { id: "status", role: "status", class: "toast" });
const alerts = h("div", { id: "alerts" });
let fading = 0;

export function messages(): [HTMLElement, HTMLElement] {
  return [alerts, status];
}

/** A passing message. */
export function tell(text: string): void {
  status.textContent = text;
  status.classList.add("on");
  clearTimeout(fading);
  fading = window.setTimeout(() => {
    status.classList.remove("on");
    status.textContent = "";
  }, 4000);
}

const MOST = 12; // banners at once: a drop of many files may have as many refusals
const banners = new WeakMap<HTMLElement, HTMLElement>();

/** What was said beside an action holds no more, and its banner neither. */
export function calm(near: HTMLElement): void {
  near.textContent = "";
  near.hidden = true;
  banners.get(near)?.remove();
}

/** An error sentence that stays until it is dismissed; `near`: it is also said where the action was. */
export function complain(error: unknown, near?: HTMLElement): HTMLElement {
  const text = error instanceof Error ? error.message : String(error);
  const there = [...alerts.children].find((e) => e.firstElementChild?.textContent === text);
  there?.remove();
  const banner = h(
    "div",
    { role: "alert", class: "banner" },
    h("span", null, text),
    h(
      "span",
      { class: "row" },
      error instanceof Refusal &&
        error.status === 403 &&
        button(null, "Reload", () => location.reload(), { class: "small primary" }),
      button(null, "Dismiss", () => banner.remove(), { class: "small" }),
    ),
  );
  alerts.append(banner);
  while (alerts.children.length > MOST) alerts.firstElementChild!.remove();
  if (near) {
    banners.get(near)?.remove();
    banners.set(near, banner);
    near.textContent = text;
    near.hidden = false;
  }
  return banner;
}

/** Run what a button asks for: disabled meanwhile, errors shown. */
export async function act(
  control: HTMLButtonElement | null,
  near: HTMLElement | undefined,
  what: () => Promise<void>,
): Promise<void> {
  if (near) calm(near);
  if (control) control.disabled = true;
  try {
    await what();
  } catch (error) {
    complain(error, near);
  } finally {
    if (control) control.disabled = false;
  }
}

export function later(ms: number, what: () => void): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(what, ms);
  };
}
