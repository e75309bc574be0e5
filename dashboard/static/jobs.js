// Keeps the lines of running jobs fresh, while somebody looks.

const EVERY = 4000;
const body = document.querySelector("[data-jobs]");

async function freshen() {
  const rows = [...document.querySelectorAll("tr[data-runs]")];
  if (document.hidden || rows.length === 0) return;
  const asked = rows.map((row) => ["job", row.dataset.job]);
  const answer = await fetch(`/jobs-live?${new URLSearchParams(asked)}`);
  if (answer.status === 401) location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(`<table>${await answer.text()}</table>`, "text/html");
  for (const fresh of page.querySelectorAll("tr[data-job]")) {
    const row = rows.find((each) => each.dataset.job === fresh.dataset.job);
    if (row && !row.contains(document.activeElement)) row.replaceWith(document.adoptNode(fresh));
  }
}

async function go() {
  try {
    await freshen();
  } catch {
    // No connection: the next turn may have one.
  }
  setTimeout(go, EVERY);
}
if (body) setTimeout(go, EVERY);
