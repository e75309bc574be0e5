// The submit page: prompts are shown while one types, columns go into templates by a click. All of it can be
// done without this script, by the form's buttons.

import { put } from "./put.js";

const form = document.querySelector("[data-sheet]");
const preview = document.getElementById("preview");
const status = form.querySelector("[data-status]");
const TYPED = 450;

let waiting;
let running;

/** Ask the server for the first prompts as the form is now; an older question is called off. */
async function refresh() {
  running?.abort();
  running = new AbortController();
  const body = new FormData(form);
  body.delete("file");
  body.delete("do");
  status.textContent = "Rendering…";
  try {
    const answer = await fetch("/submit/preview", {
      method: "POST", body, signal: running.signal, headers: { "x-csrf-token": document.body.dataset.csrf },
    });
    if (answer.ok) put(preview, await answer.text());
    status.textContent = answer.ok ? "" : "No preview just now";
  } catch (error) {
    if (error.name !== "AbortError") status.textContent = "No preview just now";
  }
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, TYPED);
}

form.addEventListener("input", (event) => {
  if (event.target.matches("[data-live], [name=source], [name^=variant-]")) soon();
});

// A feed that is chosen is read at once.
const read = form.querySelector("[data-read]");
for (const name of ["file", "file_id", "format", "encoding"]) {
  form.elements[name]?.addEventListener("change", () => form.requestSubmit(read));
}

// A column goes where the cursor was last, in the prompt if it was nowhere.
let last = form.elements.prompt;
form.addEventListener("focusin", (event) => {
  if (event.target.matches(".for-file [data-live]")) last = event.target;
});
for (const code of document.querySelectorAll("[data-insert]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "column";
  button.textContent = code.textContent;
  button.title = `Put ${code.dataset.insert} into the template`;
  button.addEventListener("click", () => {
    last.setRangeText(code.dataset.insert, last.selectionStart, last.selectionEnd, "end");
    last.focus();
    soon();
  });
  code.replaceWith(button);
}

// After a button, the part of the page that it was about; after a mistake, what is wrong.
const faults = document.querySelector("[data-focus]");
const place = form.dataset.place && document.getElementById(form.dataset.place);
if (faults) faults.focus();
else if (place) place.scrollIntoView({ block: place.offsetHeight > innerHeight / 2 ? "start" : "center" });

// The item that is being tried, until it is there.
const trial = document.querySelector("[data-trial]");
async function follow() {
  const answer = await fetch(trial.dataset.trial);
  if (!answer.ok) return;
  put(trial, await answer.text());
  if (!trial.querySelector("[data-ended]")) setTimeout(follow, 1500);
}
if (trial) follow();
