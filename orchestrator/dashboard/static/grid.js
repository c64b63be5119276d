// The grid as columns of small numbers: which cells are shown, and where each of them stands.

export class Grid {
  constructor({ study, unit, trials, parameters }) {
    this.study = study;
    this.unit = unit;
    this.trials = trials;
    this.parameters = parameters.map(({ name, values, codes }) => ({
      name,
      label: name.split(".").pop(),
      values,
      codes: Uint16Array.from(codes),
    }));
    this.byName = new Map(this.parameters.map((parameter) => [parameter.name, parameter]));
  }

  /** `beta 4`, `dsprites`; empty where a trial does not have the parameter. */
  word(parameter, index) {
    return wordOf(parameter, parameter.values[parameter.codes[index]]);
  }

  words(index) {
    const words = this.parameters.map((parameter) => this.word(parameter, index));
    return words.filter((word) => word).join(", ") || this.trials[index];
  }
}

export function wordOf(parameter, value) {
  if (value === null) return "";
  return typeof value === "string" ? value : `${parameter.label} ${value}`;
}

/**
 * The trials that pass. `filters`: by parameter a Set of the codes that stay; `letters`: a Set of
 * the states that stay.
 */
export function passing(grid, filters, states, letters) {
  const active = [...filters].map(([name, codes]) => [grid.byName.get(name).codes, codes]);
  const shown = [];
  for (let index = 0; index < grid.trials.length; index++) {
    if (!letters.has(states[index])) continue;
    if (active.every(([column, codes]) => codes.has(column[index]))) shown.push(index);
  }
  return shown;
}

/** Seeds across, the rest down; where that is long, the parameter across that shortens it most. */
export function defaultColumns(grid) {
  const names = grid.parameters.map((parameter) => parameter.name);
  const across = names.includes("seed") ? ["seed"] : names.slice(-1);
  const every = grid.trials.map((_, index) => index);
  const rows = (columns) =>
    line(grid, names.filter((name) => !columns.includes(name)), every).length;
  if (rows(across) <= 40) return across;
  const choices = names
    .filter((name) => !across.includes(name))
    .map((name) => [name, ...across])
    .filter((columns) => line(grid, columns, every).length <= 400);
  if (choices.length === 0) return across;
  return choices.reduce((best, next) => (rows(next) < rows(best) ? next : best));
}

/** The combinations of values that `shown` has, in the order of the grid file. */
export function line(grid, names, shown, place = null) {
  const parameters = names.map((name) => grid.byName.get(name));
  const found = new Map();
  const keys = new Array(shown.length);
  shown.forEach((index, at) => {
    let key = 0;
    for (const { values, codes } of parameters) key = key * values.length + codes[index];
    keys[at] = key;
    if (!found.has(key)) found.set(key, index);
  });
  const entries = [...found].sort(([one], [other]) => one - other);
  if (place) {
    const positions = new Map(entries.map(([key], position) => [key, position]));
    keys.forEach((key, at) => (place[at] = positions.get(key)));
  }
  return entries.map(([, index]) =>
    parameters.map((parameter) => ({
      code: parameter.codes[index],
      word: wordOf(parameter, parameter.values[parameter.codes[index]]),
    })),
  );
}

/** Rows, columns, and the trial at [row * columns.length + column], -1 where there is none. */
export function layOut(grid, columnNames, shown) {
  const names = grid.parameters.map((parameter) => parameter.name);
  const down = new Uint32Array(shown.length);
  const across = new Uint32Array(shown.length);
  const rowNames = names.filter((name) => !columnNames.includes(name));
  const rows = line(grid, rowNames, shown, down);
  const columns = line(grid, columnNames, shown, across);
  const cells = new Int32Array(rows.length * columns.length).fill(-1);
  shown.forEach((index, at) => (cells[down[at] * columns.length + across[at]] = index));
  return { rows, columns, cells };
}
