// The list of runs: selection for compare and retry, and refreshing while something is moving.

import { keepCurrent } from "./refresh.js";
import { retry } from "./retry.js";

const MOST_TO_COMPARE = 5;
const form = document.getElementById("selection");
const list = document.getElementById("runs");
const current = keepCurrent(list);

const boxes = () => [...list.querySelectorAll('input[name="run"]')];
const selected = () => boxes().filter((box) => box.checked);
const isRetriable = (box) => box.closest("tr").dataset.retriable === "true";

function update() {
  const chosen = selected();
  const all = list.querySelector("[data-select-all]");
  if (all) {
    all.hidden = false;
    all.checked = chosen.length > 0 && chosen.length === boxes().length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }
  const compare = list.querySelector("[data-compare]");
  if (compare) compare.disabled = chosen.length < 2 || chosen.length > MOST_TO_COMPARE;
  const again = list.querySelector("[data-retry-selected]");
  const failed = chosen.filter(isRetriable).length;
  if (again) again.disabled = failed === 0;
  const count = list.querySelector("[data-selected-count]");
  if (!count) return;
  count.dataset.hint ??= count.textContent;
  const parts = [`${chosen.length} selected`];
  if (chosen.length > MOST_TO_COMPARE) parts.push(`at most ${MOST_TO_COMPARE} can be compared`);
  if (again) parts.push(failed ? `${failed} can be retried` : "nothing of them failed");
  count.textContent = chosen.length ? parts.join(", ") : count.dataset.hint;
}

list.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) {
    for (const box of boxes()) box.checked = event.target.checked;
  }
  update();
});

list.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-retry-selected]");
  if (!button || button.disabled) return;
  button.disabled = true;
  if (!(await retry(selected().filter(isRetriable).map((box) => box.value)))) update();
});

list.addEventListener("refreshed", update);
document.addEventListener("enrichment:retried", () => {
  current.now();
  current.restart();
});
form.addEventListener("submit", (event) => {
  if (list.querySelector("[data-compare]")?.disabled) event.preventDefault();
});
update();
