// Keeps "5 min ago" right while the page is open, and shows the reader's own time zone on hover.

const UNITS = [["min", 60, 3600], ["h", 3600, 172800], ["d", 86400, Infinity]];

function ago(moment) {
  const seconds = (Date.now() - moment) / 1000;
  const [unit, length] = UNITS.find(([, , limit]) => Math.abs(seconds) < limit);
  const number = Math.round(Math.abs(seconds) / length);
  if (number === 0) return seconds >= 0 ? "just now" : "now";
  return seconds >= 0 ? `${number.toLocaleString("en")} ${unit} ago` : `in ${number.toLocaleString("en")} ${unit}`;
}

export function show(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.title = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    if (element.classList.contains("age")) element.textContent = ago(moment.getTime());
  }
}

show();
window.setInterval(show, 30000);
