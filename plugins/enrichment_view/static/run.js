// A run's page: its sections as they come into view, its head kept current, and whatever depends on it with it.

import { draw } from "./charts.js";
import { keepCurrent, keepState } from "./refresh.js";
import { show } from "./times.js";
import "./tips.js";

const AHEAD = "300px"; // a section is loaded a little before it can be seen
const loaded = new Set();

async function load(holder, { url = holder.dataset.section, fresh = false } = {}) {
  holder.setAttribute("aria-busy", "true");
  try {
    const reply = await fetch(url, {
      headers: { "X-Partial": "1" },
      cache: fresh ? "no-store" : "no-cache",
      credentials: "same-origin",
    });
    const text = await reply.text();
    if (holder.shown !== text) {
      holder.shown = text;
      const restore = keepState(holder);
      holder.innerHTML = text; // from our own server, which escapes
      restore();
      show(holder);
      draw(holder);
    }
    holder.current = url;
    if (!reply.ok) holder.shown = null; // asked for again, whatever it says then
  } catch {
    const alert = document.createElement("p");
    alert.className = "alert tone-error";
    alert.textContent = "The API server gives no answer. It is asked again.";
    holder.replaceChildren(alert);
    holder.shown = null;
  } finally {
    holder.setAttribute("aria-busy", "false");
    loaded.add(holder);
  }
}

function reload(options = {}) {
  for (const holder of loaded) load(holder, { url: holder.current, ...options });
}

const sections = [...document.querySelectorAll("[data-section]")];
const inView = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((item) => item.isIntersecting)) {
      inView.unobserve(entry.target);
      load(entry.target);
    }
  },
  { rootMargin: AHEAD },
);
for (const section of sections) inView.observe(section);
// who prints the page wants all of it
window.addEventListener("beforeprint", () => sections.filter((item) => !loaded.has(item)).forEach((item) => load(item)));

const head = document.getElementById("head");
if (head) {
  const current = keepCurrent(head);
  const standing = () => head.querySelector("[data-version]")?.dataset.version;
  let known = standing();
  // a type of the run stands differently: so may what the sections show
  head.addEventListener("refreshed", () => {
    if (standing() === known) return;
    known = standing();
    reload();
  });
  document.addEventListener("enrichment:retried", () => {
    current.restart();
    current.now();
    reload({ fresh: true });
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-section-page]");
  const holder = link?.closest("[data-section]");
  if (!holder || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  load(holder, { url: link.href }).then(() => {
    holder.tabIndex = -1;
    holder.focus();
  });
});

draw(document);
