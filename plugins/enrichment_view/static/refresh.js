// Keeps a part of the page current: asks while something in it is moving, and stops when the page is hidden.

import { show } from "./times.js";

const SLOWER = 2;
const SLOWEST_SECONDS = 120;

// Calls load() every so many seconds while the page is visible, at once when it becomes visible again, and until load()
// answers false. After a failure it waits longer each time.
export function watch(load, { everySeconds, moving = true }) {
  let timer = null;
  let delay = everySeconds;
  let stopped = !moving;
  let running = false;

  const plan = () => {
    window.clearTimeout(timer);
    if (!stopped && !document.hidden) timer = window.setTimeout(run, delay * 1000);
  };

  async function run(...given) {
    if (running) return;
    running = true;
    window.clearTimeout(timer);
    try {
      stopped = (await load(...given)) === false;
      delay = everySeconds;
    } catch {
      delay = Math.min(delay * SLOWER, SLOWEST_SECONDS);
    } finally {
      running = false;
      plan();
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) window.clearTimeout(timer);
    else if (!stopped) run();
  });
  plan();
  return { now: run, restart: () => { stopped = false; plan(); } };
}

// What is selected, open or focused in an element, by ids; put back after its content has been replaced.
export function keepState(element) {
  const checked = [...element.querySelectorAll("input[type=checkbox]:checked[id]")].map((box) => box.id);
  const open = [...element.querySelectorAll("details[open][id]")].map((details) => details.id);
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  return () => {
    for (const id of checked) {
      const box = document.getElementById(id);
      if (box) box.checked = true;
    }
    for (const id of open) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
}

// Keeps an element with data-refresh (an address) and data-refresh-seconds current. Its content says with data-moving
// whether to go on. Fires "refreshed" when the content has changed.
export function keepCurrent(element) {
  let shown = null;

  async function load({ fresh = false } = {}) {
    const reply = await fetch(element.dataset.refresh, {
      headers: { "X-Partial": "1" },
      cache: fresh ? "no-store" : "no-cache",
      credentials: "same-origin",
    });
    if (!reply.ok) {
      element.dataset.stale = "true";
      throw new Error(`status ${reply.status}`);
    }
    delete element.dataset.stale;
    const text = await reply.text();
    if (text !== shown) {
      shown = text;
      const restore = keepState(element);
      element.innerHTML = text; // from our own server, which escapes
      restore();
      show(element);
      element.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
    }
    return isMoving();
  }

  const isMoving = () => element.querySelector("[data-moving]")?.dataset.moving === "true";
  const watched = watch(load, {
    everySeconds: Number(element.dataset.refreshSeconds) || 15,
    moving: isMoving(),
  });
  return { now: () => watched.now({ fresh: true }), restart: watched.restart };
}
