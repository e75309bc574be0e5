// Forms with times: the next ten are shown as one chooses. Without this script a button shows them.

import { put } from "./put.js";

const place = document.querySelector("[data-times]");
const form = place?.closest("form");

let waiting;
let running;

async function refresh() {
  running?.abort();
  running = new AbortController();
  const body = new FormData(form);
  body.delete("file");
  try {
    const answer = await fetch("/schedules/times", {
      method: "POST", body, signal: running.signal, headers: { "x-csrf-token": document.body.dataset.csrf },
    });
    if (answer.ok) put(place, await answer.text());
  } catch (error) {
    if (error.name !== "AbortError") place.textContent = "";
  }
}

form?.addEventListener("input", (event) => {
  if (!event.target.closest("[data-timetable]")) return;
  clearTimeout(waiting);
  if (!form.elements.s_every.value || form.elements.s_every.value === "kept") place.textContent = "";
  else waiting = setTimeout(refresh, 450);
});

// The zone of whoever makes a schedule, until they choose one.
const zone = form?.elements.s_zone;
if (zone && !zone.value) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
