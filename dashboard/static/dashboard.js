// What all pages share. Without it everything can be read and done; with it, times stay fresh and nothing jumps.

const form = document.querySelector("[data-theme-form]");
const button = document.querySelector("[data-theme-button]");

/** The theme in use, whoever chose it. */
function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return document.documentElement.dataset.theme ?? dark;
}

function offerTheOther() {
  const other = theme() === "dark" ? "light" : "dark";
  button.value = other;
  button.querySelector(".hidden").textContent = `${other === "dark" ? "Dark" : "Light"} colours`;
}

if (form && button) {
  offerTheOther();
  form.elements.next.value = location.pathname + location.search;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = button.value;
    document.documentElement.dataset.theme = chosen;
    offerTheOther();
    const body = new URLSearchParams({ theme: chosen, next: "/static" });
    await fetch("/theme", { method: "POST", body, redirect: "manual" });
  });
}

// On a narrow screen the page that one is on may be out of sight in the row of pages.
const here = document.querySelector(".nav [aria-current]");
const row = here?.closest("ul");
if (row) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;

const UNITS = [
  [60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"],
  [30 * 86400, 86400, "day"], [365 * 86400, 30 * 86400, "month"], [Infinity, 365 * 86400, "year"],
];

/** As the server says it: "3 minutes ago", "in 2 hours". */
export function ago(moment, now = Date.now()) {
  const seconds = (now - moment) / 1000;
  const away = Math.abs(seconds);
  if (away < 10) return "just now";
  const [, each, unit] = UNITS.find(([below]) => away < below);
  const number = Math.floor(away / each);
  const said = `${number} ${unit}${number === 1 ? "" : "s"}`;
  return seconds > 0 ? `${said} ago` : `in ${said}`;
}

function freshen() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[datetime]:not([data-fixed])")) {
    const said = ago(Date.parse(time.dateTime));
    if (time.textContent !== said) time.textContent = said;
  }
}
setInterval(freshen, 10_000);

// A link that opens a dialog; without this script it leads to a page that asks. Parts of a page come and go,
// so clicks are taken here for all of them.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const dialog = opener && document.getElementById(opener.dataset.opens);
  if (dialog) {
    event.preventDefault();
    dialog.showModal();
  }
  event.target.closest("[data-closes]")?.closest("dialog")?.close();
});

// Nothing is sent twice by a second click.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const sent of document.querySelectorAll("form[data-sent]")) delete sent.dataset.sent;
});
