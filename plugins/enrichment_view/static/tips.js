// What an element has in data-tip, beside it while the pointer or the focus is on it; Escape hides it.

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true"); // the element itself has the same for screen readers
document.body.append(tip);

function place(element) {
  tip.textContent = element.dataset.tip;
  tip.hidden = false;
  const near = element.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(near.left + near.width / 2 - own.width / 2, 8), window.innerWidth - own.width - 8);
  const above = near.top - own.height - 6;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : near.bottom + 6}px`;
}

const hide = () => {
  tip.hidden = true;
};

for (const type of ["pointerover", "focusin"]) {
  document.addEventListener(type, (event) => {
    const element = event.target.closest?.("[data-tip]");
    if (element) place(element);
    else hide();
  });
}
document.addEventListener("focusout", hide);
document.addEventListener("scroll", hide, { capture: true, passive: true });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
});
