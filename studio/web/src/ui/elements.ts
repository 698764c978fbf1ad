// Makes the HTML elements and simple controls that all views use.

export type Child = Node | string | number | null | undefined | false | Child[];
export type Props = Record<string, unknown>;

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

/** Set the text of `e`, unless it is the same: screen readers then announce only changes. */
export function say(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

let serial = 0;
/** A control with its label above. */
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

/** The number in an input, or null if it has none. */
export function read(input: HTMLInputElement): number | null {
  const x = input.valueAsNumber;
  return Number.isFinite(x) ? x : null;
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
