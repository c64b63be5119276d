// Asking again for what may have changed: quietly while nobody looks, and never twice at once.

const PAUSE_MS = 2000;

/** The body of an address and whether it is new since the last time; null if it is gone. */
export class Source {
  #tag = null;

  constructor(read) {
    this.read = read; // (response) => body
  }

  /** Gives the body, or null where it is the same as the last time that this was called. */
  async changed(address) {
    // The browser sends the tag of its copy and hands that copy out after a 304.
    const response = await fetch(address, { cache: "no-cache" });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    const tag = `${address} ${response.headers.get("ETag")}`;
    if (tag === this.#tag) return null;
    const body = await this.read(response);
    this.#tag = tag;
    return body;
  }
}

export const json = (response) => response.json();
export const page = async (response) =>
  new DOMParser().parseFromString(await response.text(), "text/html");

/** Calls `refresh` now and for ever; says on the page whether the dashboard answers. */
export async function keepLive(refresh) {
  const pulse = document.getElementById("pulse");
  const unreachable = document.getElementById("unreachable");
  for (;;) {
    try {
      await refresh();
      unreachable.hidden = true;
      pulse.classList.remove("lost");
      pulse.textContent = `live, ${new Date().toLocaleTimeString()}`;
    } catch (error) {
      console.warn(error);
      unreachable.hidden = false;
      pulse.classList.add("lost");
      pulse.textContent = "not live";
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (document.hidden) {
      await new Promise((resolve) =>
        document.addEventListener("visibilitychange", resolve, { once: true }),
      );
    }
  }
}

/** Puts what the server now says in place of each marked part that has changed. */
export function swapLiveParts(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (now && !now.isEqualNode(old)) {
      const log = old.querySelector("pre.log");
      const atEnd = log && log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
      old.replaceWith(now);
      const nowLog = now.querySelector("pre.log");
      if (nowLog) nowLog.scrollTop = atEnd ? nowLog.scrollHeight : log?.scrollTop ?? 0;
    }
  }
}
