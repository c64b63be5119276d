// The score that the grid is coloured by: what there is to choose, its values, its scale.

import { short } from "./charts.js";
import { scaleColour } from "./colours.js";
import { make } from "./filters.js";
import { json, Source } from "./live.js";

const byId = (id) => document.getElementById(id);

export class Score {
  /** `wanted` is a choice from an address, `changed` is called once another one is there. */
  constructor({ by, at }, changed) {
    this.wanted = by;
    this.column = null; // { values, higher_is_better }
    this.source = new Source(json);
    this.choices = [];
    if (at === "best") byId("at").value = "best";
    for (const id of ["score", "representation", "size", "at"]) {
      byId(id).addEventListener("change", async () => {
        if (id === "score") this.offerKinds();
        this.source = new Source(json);
        await this.read();
        changed();
      });
    }
  }

  /** The metric and the score that are chosen; both empty for colours of states. */
  get chosen() {
    const [metric = "", name = ""] = byId("score").value.split(" ");
    return { metric, name };
  }

  /** Fills the choices with what the study has, and keeps what was chosen. */
  offer(choices) {
    if (JSON.stringify(choices) === JSON.stringify(this.choices)) return;
    this.choices = choices;
    const select = byId("score");
    const before = select.value || this.wanted;
    const groups = new Map();
    for (const [metric, name] of choices) {
      if (!groups.has(metric)) groups.set(metric, new Set());
      groups.get(metric).add(name);
    }
    const offered = [...groups].map(([metric, names]) => {
      const group = make("optgroup", { label: metric });
      for (const name of names) group.append(new Option(name, `${metric} ${name}`));
      return group;
    });
    select.replaceChildren(new Option("state", ""), ...offered);
    select.value = before;
    if (select.selectedIndex < 0) select.value = "";
    this.offerKinds();
  }

  /** The representations and sizes that the chosen score has. */
  offerKinds() {
    const { metric, name } = this.chosen;
    const found = this.choices.filter((choice) => choice[0] === metric && choice[1] === name);
    for (const [id, at] of [["representation", 2], ["size", 3]]) {
      const select = byId(id);
      const before = select.value;
      const values = [...new Set(found.map((choice) => choice[at]))];
      select.replaceChildren(...values.map((value) => new Option(value)));
      if (values.includes(before)) select.value = before;
      select.parentElement.hidden = values.length < 2;
    }
    byId("at").parentElement.hidden = !metric;
  }

  /** Reads the chosen column; gives whether it is another one than before. */
  async read() {
    const { metric, name } = this.chosen;
    if (!metric) {
      const had = this.column !== null;
      this.column = null;
      return had;
    }
    const query = new URLSearchParams({
      metric,
      score: name,
      representation: byId("representation").value,
      size: byId("size").value,
      at: byId("at").value,
    });
    const fresh = await this.source.changed(`scores.json?${query}`);
    if (fresh) this.column = fresh;
    return fresh !== null;
  }

  /** From the least to the largest of what is shown: differences within a filter are seen. */
  spreadOver(shown) {
    if (!this.column) return;
    const found = shown.map((index) => this.column.values[index]).filter((value) => value !== null);
    this.count = found.length;
    this.low = found.reduce((a, b) => Math.min(a, b), Infinity);
    this.high = found.reduce((a, b) => Math.max(a, b), -Infinity);
    this.mean = found.reduce((a, b) => a + b, 0) / found.length;
  }

  /** From 0, the worst, to 1; NaN for a finished trial without it, null where a state is drawn. */
  shareOf(index, letter) {
    const value = this.column?.values[index] ?? null;
    if (value === null) return this.column && letter === "c" ? NaN : null;
    const share = this.high > this.low ? (value - this.low) / (this.high - this.low) : 0.5;
    return this.column.higher_is_better ? share : 1 - share;
  }

  /** Of one trial, for people; empty for colours of states. */
  number(index) {
    const value = this.column?.values[index] ?? null;
    return value === null ? "" : short(value);
  }

  words(index) {
    return this.column ? `${this.chosen.name} ${this.number(index) || "–"}` : "";
  }

  drawScale(element) {
    element.hidden = !this.column;
    if (!this.column) return;
    if (this.count === 0) {
      element.replaceChildren("no such score yet");
      return;
    }
    const bar = make("canvas", { width: 160, height: 12 });
    const context = bar.getContext("2d");
    for (let x = 0; x < bar.width; x++) {
      context.fillStyle = scaleColour(x / (bar.width - 1));
      context.fillRect(x, 0, 1, bar.height);
    }
    const better = this.column.higher_is_better ? "higher" : "lower";
    const [worst, best] = better === "higher" ? [this.low, this.high] : [this.high, this.low];
    const note = make("span", { className: "note" });
    const count = this.count.toLocaleString("en");
    note.textContent = `mean ${short(this.mean)} of ${count}, ${better} is better`;
    element.replaceChildren(short(worst), bar, short(best), note);
  }
}
