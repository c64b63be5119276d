// A panel for each swept parameter: which of its values stay, and whether it runs down or across.

import { wordOf } from "./grid.js";

export class Filters {
  /** `chosen` is by parameter a Set of codes, `columns` the names across; both are changed here. */
  constructor(element, grid, { chosen, columns }, changed) {
    this.grid = grid;
    this.chosen = chosen;
    this.columns = columns;
    this.changed = changed;
    this.summaries = new Map();
    element.replaceChildren(...grid.parameters.map((parameter) => this.panel(parameter)));
    document.addEventListener("click", (event) => {
      for (const open of element.querySelectorAll("details[open]")) {
        if (!open.contains(event.target)) open.open = false;
      }
    });
    element.addEventListener("keydown", (event) => {
      const open = event.key === "Escape" && event.target.closest("details[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      }
    });
    this.refresh();
  }

  panel(parameter) {
    const panel = make("details", { className: "filter" });
    panel.dataset.parameter = parameter.name;
    const summary = make("summary");
    this.summaries.set(parameter.name, summary);
    const across = checkbox("across, not down", this.columns.includes(parameter.name), (on) => {
      const kept = this.columns.filter((name) => name !== parameter.name);
      this.columns.splice(0, Infinity, ...(on ? [...kept, parameter.name] : kept));
      // As in the grid file, but seeds are innermost, which is where they are on their own, too.
      const order = this.grid.parameters.map(({ name }) => name);
      this.columns.sort((a, b) => order.indexOf(a) - order.indexOf(b));
      this.changed();
    });
    across.classList.add("across");
    const all = make("button", { type: "button", textContent: "all" });
    all.addEventListener("click", () => this.choose(parameter, null));
    const none = make("button", { type: "button", textContent: "none" });
    none.addEventListener("click", () => this.choose(parameter, new Set()));
    const buttons = make("div", { className: "buttons" });
    buttons.append(all, none);
    const values = make("div", { className: "values" });
    parameter.values.forEach((value, code) => {
      const word = value === null ? "none" : wordOf({ label: "" }, value).trim();
      const box = checkbox(word, true, (on) => {
        const codes = new Set(this.chosen.get(parameter.name) ?? parameter.values.keys());
        if (on) codes.add(code);
        else codes.delete(code);
        this.choose(parameter, codes);
      });
      box.querySelector("input").value = code;
      values.append(box);
    });
    const inside = make("div", { className: "panel" });
    inside.append(buttons, values, across);
    panel.append(summary, inside);
    return panel;
  }

  choose(parameter, codes) {
    if (codes === null || codes.size === parameter.values.length) {
      this.chosen.delete(parameter.name);
    } else {
      this.chosen.set(parameter.name, codes);
    }
    this.refresh();
    this.changed();
  }

  /** Shows what is chosen, whoever chose it. */
  refresh() {
    for (const parameter of this.grid.parameters) {
      const codes = this.chosen.get(parameter.name);
      const summary = this.summaries.get(parameter.name);
      summary.textContent = codes
        ? `${parameter.name}: ${codes.size} of ${parameter.values.length}`
        : parameter.name;
      summary.classList.toggle("active", codes !== undefined);
      for (const box of summary.parentElement.querySelectorAll(".values input")) {
        box.checked = codes === undefined || codes.has(Number(box.value));
      }
    }
  }
}

function checkbox(text, checked, changed) {
  const label = make("label");
  const box = make("input", { type: "checkbox", checked });
  box.addEventListener("change", () => changed(box.checked));
  label.append(box, ` ${text}`);
  return label;
}

export function make(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
