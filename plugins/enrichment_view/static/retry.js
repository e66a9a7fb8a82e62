// Retries runs: posts, shows the new badges at once, and says what was done or why not.

const root = document.documentElement.dataset.root;

function newBadge(badge) {
  const element = document.createElement("span");
  element.className = `badge tone-${badge.tone}`;
  element.title = badge.explanation;
  const icon = document.createElement("span");
  icon.className = `icon icon-${badge.icon}`;
  icon.setAttribute("aria-hidden", "true");
  element.append(icon, badge.label);
  return element;
}

export function showBadge(runId, badge) {
  for (const holder of document.querySelectorAll(`[data-run-badge="${CSS.escape(runId)}"]`)) {
    holder.replaceChildren(newBadge(badge));
  }
}

function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}

// Shows a message in #messages, a live region; tone: success, warning or error.
export function say(tone, title, lines = []) {
  const holder = document.getElementById("messages");
  if (!holder) return;
  const alert = document.createElement("div");
  alert.className = `alert tone-${tone}`;
  const heading = paragraph(title);
  heading.className = "alert-title";
  alert.append(heading, ...lines.filter(Boolean).map(paragraph));
  holder.replaceChildren(alert);
}

async function post(path, body) {
  const reply = await fetch(`${root}/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Requested-With": "enrichment-view" },
    credentials: "same-origin",
    body: JSON.stringify(body),
  });
  const content = await reply.json().catch(() => ({}));
  if (!reply.ok) throw Object.assign(new Error(content.title || `Status ${reply.status}`), { problem: content });
  return content;
}

// Retries what failed of the runs; answers whether something was re-queued.
export async function retry(runIds, types = null) {
  const single = runIds.length === 1;
  try {
    const path = single ? `/runs/${encodeURIComponent(runIds[0])}/retry` : "/retries";
    const done = await post(path, { types, ...(single ? {} : { run_ids: runIds }) });
    for (const run of done.runs) if (run.badge) showBadge(run.run_id, run.badge);
    const refused = done.runs.map((run) => run.refused);
    const trail = done.dag_run_id ? `DAG run ${done.dag_id} / ${done.dag_run_id}` : "";
    say(refused.some(Boolean) ? "warning" : "success", `Retry: ${done.message}`, [...refused, trail]);
    const detail = { run_ids: done.runs.filter((run) => run.requeued_types.length).map((run) => run.run_id) };
    document.dispatchEvent(new CustomEvent("enrichment:retried", { detail }));
    return true;
  } catch (error) {
    const problem = error.problem ?? {};
    const what = problem.next_action ? `What to do: ${problem.next_action}` : "";
    say("error", `Not retried: ${error.message}`, [problem.detail ?? "The API server gave no answer.", what]);
    return false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-retry-run]");
  if (!button || button.disabled) return;
  button.disabled = true;
  const types = button.dataset.retryTypes ? button.dataset.retryTypes.split(",") : null;
  if (await retry([button.dataset.retryRun], types)) button.hidden = true;
  else button.disabled = false;
});
