// A study: the grid coloured by state or score, filtered, and kept up to date.

import { palette, scaleColour, drawState, STATES } from "./colours.js";
import { short } from "./charts.js";
import { Filters, make } from "./filters.js";
import { defaultColumns, Grid, layOut, passing } from "./grid.js";
import { Running, showFailed, trialAddress } from "./lists.js";
import { json, keepLive, page, Source, swapLiveParts } from "./live.js";
import { Matrix } from "./matrix.js";

const byId = (id) => document.getElementById(id);
const sources = { grid: json, state: json, scores: json, page };
for (const [name, read] of Object.entries(sources)) sources[name] = new Source(read);

let grid, state, matrix, filters, running;
let score = null; // { values, low, high, higher_is_better }
const view = { chosen: new Map(), columns: [], letters: new Set(Object.keys(STATES)) };
let shown = [];
const progress = new Map();

async function refresh() {
  const [freshGrid, freshState] = await Promise.all([
    sources.grid.changed("grid.json"),
    sources.state.changed("state.json"),
  ]);
  if (freshGrid) start(new Grid(freshGrid));
  if (freshState) {
    // A grid that grew in between fits with the next answer.
    if (freshState.states.length !== grid.trials.length) return;
    state = freshState;
    progress.clear();
    state.running.trials.forEach((index, i) =>
      progress.set(index, state.running.steps_done[i] / state.running.steps[i]),
    );
    offerScores();
  }
  const freshScore = await readScore();
  if (freshGrid || freshState || freshScore) draw();
  await running.refresh();
  if (freshState) {
    const fresh = await sources.page.changed(location.pathname);
    if (fresh) swapLiveParts(fresh);
  }
}

function start(fresh) {
  grid = fresh;
  view.columns = defaultColumns(grid);
  readAddress();
  filters = new Filters(byId("filters"), grid, view, draw);
  running = new Running(grid);
  matrix ??= new Matrix(byId("matrix"), { onPoint: point, onOpen: open });
  byId("matrix").matrix = matrix; // for whoever looks at the page from outside
}

// What is shown

function draw() {
  if (!state) return;
  const started = performance.now();
  const before = passing(grid, view.chosen, state.states, new Set(Object.keys(STATES)));
  shown = before.filter((index) => view.letters.has(state.states[index]));
  spread();
  matrix.show(layOut(grid, view.columns, shown), (index) => ({
    letter: state.states[index],
    progress: progress.get(index) ?? 0,
    share: score ? shareOf(index) : null,
  }));
  drawLegend(before);
  drawScale();
  const places = new Set(shown);
  running.show(state.running, places);
  showFailed(grid, state, places);
  const all = grid.trials.length;
  const unit = `${grid.unit}${all === 1 ? "" : "s"}`;
  byId("shown").textContent =
    shown.length === all
      ? `${all.toLocaleString("en")} ${unit}`
      : `${shown.length.toLocaleString("en")} of ${all.toLocaleString("en")} ${unit}`;
  byId("clear").hidden = shown.length === all && view.chosen.size === 0;
  writeAddress();
  byId("matrix").dataset.shown = shown.length;
  byId("matrix").dataset.states = state.states.length;
  byId("matrix").dataset.drawMs = (performance.now() - started).toFixed(1);
}

function drawLegend(passed) {
  const counts = Object.fromEntries(Object.keys(STATES).map((letter) => [letter, 0]));
  for (const index of passed) counts[state.states[index]]++;
  if (byId("states").childElementCount === 0) {
    for (const [letter, name] of Object.entries(STATES)) {
      const button = make("button", { type: "button" });
      button.dataset.letter = letter;
      button.append(make("canvas", { width: 32, height: 32 }), ` ${name} `, make("b"));
      button.addEventListener("click", () => {
        if (!view.letters.delete(letter)) view.letters.add(letter);
        draw();
      });
      byId("states").append(button);
    }
  }
  const colours = palette();
  for (const button of byId("states").children) {
    const { letter } = button.dataset;
    button.setAttribute("aria-pressed", view.letters.has(letter));
    button.querySelector("b").textContent = counts[letter].toLocaleString("en");
    const context = button.querySelector("canvas").getContext("2d");
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.clearRect(0, 0, 16, 16);
    drawState(context, colours, letter, 1, 1, 14, 14, 0.5);
  }
}

// Scores

/** The least and the largest of the scores that are shown: differences within a filter are seen. */
function spread() {
  if (!score) return;
  const values = shown.map((index) => score.values[index]).filter((value) => value !== null);
  score.count = values.length;
  score.low = values.reduce((a, b) => Math.min(a, b), Infinity);
  score.high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  score.mean = values.reduce((a, b) => a + b, 0) / values.length;
}

/** From 0, the worst, to 1; NaN for a finished trial without a score, null for an unfinished. */
function shareOf(index) {
  const value = score.values[index];
  if (value === null) return state.states[index] === "c" ? NaN : null;
  const share = score.high > score.low ? (value - score.low) / (score.high - score.low) : 0.5;
  return score.higher_is_better ? share : 1 - share;
}

function drawScale() {
  const scale = byId("scale");
  scale.hidden = !score;
  if (!score) return;
  if (score.count === 0) {
    scale.replaceChildren("no such score yet");
    return;
  }
  const bar = make("canvas", { width: 160, height: 12 });
  const context = bar.getContext("2d");
  for (let x = 0; x < bar.width; x++) {
    context.fillStyle = scaleColour(x / (bar.width - 1));
    context.fillRect(x, 0, 1, bar.height);
  }
  const [worst, best] = score.higher_is_better ? ["low", "high"] : ["high", "low"];
  const note = make("span", { className: "note" });
  note.textContent = `mean ${short(score.mean)} of ${score.count.toLocaleString("en")}, ${
    score.higher_is_better ? "higher" : "lower"
  } is better`;
  scale.replaceChildren(short(score[worst]), bar, short(score[best]), note);
}

/** Fills the choices with what the study has, and keeps what was chosen. */
function offerScores() {
  const key = JSON.stringify(state.scores);
  const select = byId("score");
  if (select.dataset.offered === key) return;
  select.dataset.offered = key;
  const chosen = select.value || wantedScore;
  const groups = new Map();
  for (const [metric, name] of state.scores) {
    if (!groups.has(metric)) groups.set(metric, new Set());
    groups.get(metric).add(name);
  }
  const offered = [...groups].map(([metric, names]) => {
    const group = make("optgroup", { label: metric });
    for (const name of names) group.append(new Option(name, `${metric} ${name}`));
    return group;
  });
  select.replaceChildren(new Option("state", ""), ...offered);
  select.value = chosen;
  if (select.selectedIndex < 0) select.value = "";
  offerOf();
}

/** The representations and sizes that the chosen score has. */
function offerOf() {
  const [metric, name] = byId("score").value.split(" ");
  const found = state.scores.filter((choice) => choice[0] === metric && choice[1] === name);
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

async function readScore() {
  const [metric, name] = byId("score").value.split(" ");
  if (!metric) {
    const had = score !== null;
    score = null;
    return had;
  }
  const query = new URLSearchParams({
    metric,
    score: name,
    representation: byId("representation").value,
    size: byId("size").value,
    at: byId("at").value,
  });
  const fresh = await sources.scores.changed(`scores.json?${query}`);
  if (fresh) score = fresh;
  return fresh !== null;
}

for (const id of ["score", "representation", "size", "at"]) {
  byId(id).addEventListener("change", async () => {
    if (id === "score") offerOf();
    sources.scores = new Source(json);
    await readScore();
    draw();
  });
}

byId("clear").addEventListener("click", () => {
  view.chosen.clear();
  Object.keys(STATES).forEach((letter) => view.letters.add(letter));
  filters.refresh();
  draw();
});

// A cell

function describe(index) {
  const words = [STATES[state.states[index]]];
  if (progress.has(index)) words.push(`${Math.round(progress.get(index) * 100)} %`);
  if (score) {
    const value = score.values[index];
    words.push(`${byId("score").value.split(" ")[1]} ${value === null ? "–" : short(value)}`);
  }
  return [grid.words(index), words.join(", ")];
}

function point(index, x, y) {
  const tooltip = byId("tooltip");
  tooltip.hidden = index < 0 || index === undefined;
  if (tooltip.hidden) return;
  const [name, what] = describe(index);
  tooltip.replaceChildren(make("b", { textContent: name }), make("span", { textContent: what }));
  const left = Math.min(x + 14, innerWidth - tooltip.offsetWidth - 8);
  const below = y + 16 + tooltip.offsetHeight < innerHeight;
  tooltip.style.left = `${Math.max(4, left)}px`;
  tooltip.style.top = `${below ? y + 16 : y - tooltip.offsetHeight - 10}px`;
  byId("cell").textContent = `${name}: ${what}`;
}

function open(index, event) {
  const address = trialAddress(grid, index);
  if (event.ctrlKey || event.metaKey || event.button === 1) window.open(address, "_blank");
  else location.assign(address);
}

// The view in the address, so that it can be sent, and comes back with the browser's "back"

let wantedScore = "";

function readAddress() {
  const found = new URLSearchParams(location.hash.slice(1));
  for (const parameter of grid.parameters) {
    const wanted = found.getAll(parameter.name);
    if (wanted.length === 0) continue;
    const codes = [...parameter.values.keys()];
    const kept = codes.filter((code) => wanted.includes(String(parameter.values[code])));
    view.chosen.set(parameter.name, new Set(kept));
  }
  if (found.has("states")) view.letters = new Set(found.get("states"));
  if (found.has("across")) {
    view.columns = found.get("across").split(",").filter((name) => grid.byName.has(name));
  }
  wantedScore = found.get("by") ?? "";
  if (found.get("at") === "best") byId("at").value = "best";
}

function writeAddress() {
  const written = new URLSearchParams();
  for (const [name, codes] of view.chosen) {
    const { values } = grid.byName.get(name);
    if (codes.size === 0) written.append(name, "");
    for (const code of codes) written.append(name, String(values[code]));
  }
  if (view.letters.size < Object.keys(STATES).length) {
    written.set("states", [...view.letters].join(""));
  }
  if (view.columns.join() !== defaultColumns(grid).join()) written.set("across", view.columns);
  if (byId("score").value) written.set("by", byId("score").value);
  if (byId("at").value === "best") written.set("at", "best");
  const hash = written.size > 0 ? `#${written}` : "";
  if (hash !== location.hash) history.replaceState(null, "", location.pathname + hash);
}

keepLive(refresh);
