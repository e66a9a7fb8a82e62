// Shows the page in the colours that Airflow's UI is set to. It keeps its choice under the key "theme" of the same
// origin: "light", "dark", or "system" (or nothing), which the stylesheet's media query answers.
(() => {
  const KEY = "theme";
  const apply = () => {
    let chosen = null;
    try {
      chosen = window.localStorage.getItem(KEY);
    } catch {
      // no storage: as the system says
    }
    const root = document.documentElement;
    if (chosen === "light" || chosen === "dark") {
      root.dataset.theme = chosen;
    } else {
      delete root.dataset.theme;
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  apply();
  window.addEventListener("storage", (event) => {
    if (event.key === KEY || event.key === null) apply();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
})();
