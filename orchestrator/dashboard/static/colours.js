// The colours of states and scores, for light and dark, and shapes that tell states without them.

export const STATES = {
  w: "waiting",
  r: "running",
  c: "completed",
  d: "diverged",
  f: "failed",
};
const LETTERS = { r: "R", d: "D", f: "F" };
const LETTERED = 11; // pixels that a letter needs
const NUMBERED = 40;

// Viridis (matplotlib), which keeps its order for colour-blind eyes and in grey.
const SCALE = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [109, 205, 89],
  [180, 222, 44],
  [253, 231, 37],
];

/** What the stylesheet says now, of the light or of the dark scheme. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = [...Object.values(STATES), "text", "muted", "ground", "line", "focus"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** `share` from 0 to 1. */
export function scaleColour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (SCALE.length - 1);
  const low = Math.min(Math.floor(at), SCALE.length - 2);
  const mix = SCALE[low].map((part, i) => part + (SCALE[low + 1][i] - part) * (at - low));
  return `rgb(${mix.map(Math.round).join(" ")})`;
}

/** A place on the scale, with the number where there is room; an empty frame for NaN. */
export function drawShare(context, colours, share, number, x, y, width, height) {
  if (Number.isNaN(share)) {
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  } else {
    context.fillStyle = scaleColour(share);
    context.fillRect(x, y, width, height);
    if (width >= NUMBERED) write(context, number, share < 0.6 ? "#fff" : "#000", x, y, width, height);
  }
}

function write(context, text, colour, x, y, width, height) {
  context.fillStyle = colour;
  context.font = `600 ${Math.min(11, height - 3)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x + width / 2, y + height / 2 + 0.5);
}

/**
 * A state as a shape: waiting is a line, running fills from below as it goes on, completed is full,
 * diverged is cut in two, failed stands out at both ends; in wide cells letters tell them apart.
 */
export function drawState(context, colours, letter, x, y, width, height, progress) {
  context.fillStyle = colours[STATES[letter]];
  if (letter === "w") {
    context.fillRect(x, y + Math.round(height / 2) - 1, width, 2);
    return;
  }
  if (letter === "r") {
    const filled = Math.max(2, height * progress);
    context.globalAlpha = 0.25;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
    context.fillRect(x, y + height - filled, width, filled);
  } else if (letter === "d" && width < LETTERED) {
    const gap = Math.max(2, height / 5);
    context.fillRect(x, y, width, (height - gap) / 2);
    context.fillRect(x, y + (height + gap) / 2, width, (height - gap) / 2);
  } else if (letter === "f") {
    context.fillRect(x, y - 1, width, height + 2);
  } else {
    context.fillRect(x, y, width, height);
  }
  if (LETTERS[letter] && width >= LETTERED) {
    const colour = letter === "r" && progress < 0.6 ? colours.text : colours.ground;
    write(context, LETTERS[letter], colour, x, y, width, height);
  }
}
