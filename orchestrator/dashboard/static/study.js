// A study: the grid coloured by state or score, filtered, and kept up to date.

import { readAddress, writeAddress } from "./address.js";
import { drawState, palette, STATES } from "./colours.js";
import { Filters, make } from "./filters.js";
import { Grid, layOut, passing } from "./grid.js";
import { Running, showFailed, trialAddress } from "./lists.js";
import { json, keepLive, page, Source, swapLiveParts } from "./live.js";
import { Matrix } from "./matrix.js";
import { Score } from "./scores.js";

const byId = (id) => document.getElementById(id);
const letters = Object.keys(STATES);
const sources = { grid: new Source(json), state: new Source(json), page: new Source(page) };
const progress = new Map(); // of running trials, from 0 to 1
let grid, view, state, matrix, filters, running, score;
let shown = []; // places of the trials that pass all filters

async function refresh() {
  const [freshGrid, freshState] = await Promise.all([
    sources.grid.changed("grid.json"),
    sources.state.changed("state.json"),
  ]);
  if (freshGrid) start(new Grid(freshGrid));
  // A grid that grew between the two answers fits with the next.
  if (freshState?.states.length === grid.trials.length) {
    state = freshState;
    progress.clear();
    state.running.trials.forEach((index, i) =>
      progress.set(index, state.running.steps_done[i] / state.running.steps[i]),
    );
    score.offer(state.scores);
  }
  const freshScore = await score.read();
  if (freshGrid || freshState || freshScore) draw();
  await running.refresh();
  if (freshState) {
    const fresh = await sources.page.changed(location.pathname);
    if (fresh) swapLiveParts(fresh);
  }
}

function start(fresh) {
  grid = fresh;
  view = readAddress(grid);
  filters = new Filters(byId("filters"), grid, view, draw);
  running = new Running(grid);
  score ??= new Score(view, draw);
  matrix ??= new Matrix(byId("matrix"), { onPoint: point, onOpen: open });
  byId("matrix").matrix = matrix; // for whoever measures the page from outside
}

function draw() {
  if (state?.states.length !== grid.trials.length) return;
  const started = performance.now();
  const filtered = passing(grid, view.chosen, state.states, new Set(letters));
  shown = filtered.filter((index) => view.letters.has(state.states[index]));
  score.spreadOver(shown);
  matrix.show(layOut(grid, view.columns, shown), (index) => ({
    letter: state.states[index],
    progress: progress.get(index) ?? 0,
    share: score.shareOf(index, state.states[index]),
    number: score.number(index),
  }));
  drawLegend(filtered);
  score.drawScale(byId("scale"));
  const places = new Set(shown);
  running.show(state.running, places);
  showFailed(grid, state, places);
  const all = grid.trials.length;
  const some = shown.length < all ? `${shown.length.toLocaleString("en")} of ` : "";
  const unit = `${grid.unit}${all === 1 ? "" : "s"}`;
  byId("shown").textContent = `${some}${all.toLocaleString("en")} ${unit}`;
  byId("clear").hidden = shown.length === all && view.chosen.size === 0;
  const { metric, name } = score.chosen;
  writeAddress(grid, { ...view, by: metric && `${metric} ${name}`, at: byId("at").value });
  byId("matrix").dataset.shown = shown.length;
  byId("matrix").dataset.drawMs = (performance.now() - started).toFixed(1);
}

/** The states with their shapes, and how many trials of each the filters leave. */
function drawLegend(filtered) {
  const counts = Object.fromEntries(letters.map((letter) => [letter, 0]));
  for (const index of filtered) counts[state.states[index]]++;
  if (byId("states").childElementCount === 0) {
    byId("states").append(...letters.map(legendButton));
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

function legendButton(letter) {
  const button = make("button", { type: "button" });
  button.dataset.letter = letter;
  button.append(make("canvas", { width: 32, height: 32 }), ` ${STATES[letter]} `, make("b"));
  button.addEventListener("click", () => {
    if (!view.letters.delete(letter)) view.letters.add(letter);
    draw();
  });
  return button;
}

byId("clear").addEventListener("click", () => {
  view.chosen.clear();
  letters.forEach((letter) => view.letters.add(letter));
  filters.refresh();
  draw();
});

/** Tells of the cell under the pointer or the cursor; of none, where `index` is not one. */
function point(index, x, y) {
  const tooltip = byId("tooltip");
  tooltip.hidden = !(index >= 0);
  if (tooltip.hidden) return;
  const name = grid.words(index);
  const share = progress.has(index) ? `${Math.round(progress.get(index) * 100)} %` : "";
  const what = [STATES[state.states[index]], share, score.words(index)].filter((word) => word);
  const text = what.join(", ");
  tooltip.replaceChildren(make("b", { textContent: name }), make("span", { textContent: text }));
  const left = Math.min(x + 14, innerWidth - tooltip.offsetWidth - 8);
  const below = y + 16 + tooltip.offsetHeight < innerHeight;
  tooltip.style.left = `${Math.max(4, left)}px`;
  tooltip.style.top = `${below ? y + 16 : y - tooltip.offsetHeight - 10}px`;
  byId("cell").textContent = `${name}: ${text}`;
}

function open(index, event) {
  const address = trialAddress(grid, index);
  if (event.ctrlKey || event.metaKey || event.button === 1) window.open(address, "_blank");
  else location.assign(address);
}

keepLive(refresh);
