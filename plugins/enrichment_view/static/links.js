// Links that leave the page. Airflow shows it in a sandboxed frame, from which a link can open neither the whole window
// nor a new one. The window around it is Airflow's own, of the same origin: a link that is put there may do both.

const framed = window.parent !== window;

function follow(url, target) {
  const link = window.parent.document.createElement("a");
  link.href = url;
  link.target = target;
  link.rel = target === "_blank" ? "noopener noreferrer" : "";
  window.parent.document.body.append(link);
  link.click();
  link.remove();
}

async function copy(button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    // no permission: the text beside it is selected instead
    const text = button.parentElement.querySelector("code");
    window.getSelection().selectAllChildren(text);
    button.textContent = "Selected";
  }
  window.setTimeout(() => {
    button.textContent = before;
  }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    copy(button);
    return;
  }
  const link = event.target.closest("a[data-airflow-link], a[data-foreign-link]");
  const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || !framed || modified) return;
  try {
    follow(link.href, link.hasAttribute("data-foreign-link") ? "_blank" : "_top");
    event.preventDefault();
  } catch {
    // a window of another origin: the browser does with the link what it may
  }
});
