// A job's page while it runs: an event says that something changed, a fragment of the page says what.

const LEAST = 2000; // between two fragments
const PICTURES = 4000; // between two that have the pictures, which cost the server most
const root = document.querySelector("[data-live-job]");
const offline = root.querySelector("[data-offline]");
const announce = root.querySelector("[data-announce]");
const path = root.dataset.liveJob;

let last = 0;
let pictured = Date.now();
let asked = false;
let busy = false;
let ended = false;
let told = "";

/** Put what is new in its place; what holds the focus, an open dialog, or what is typed into, is left alone. */
function put(fresh) {
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = root.querySelector(`[data-part="${part.dataset.part}"]`);
    if (part.dataset.part === "pictures" || !old) continue;
    if (part.dataset.part === "gallery") {
      putTiles(old, part);
    } else if (!part.isEqualNode(old) && !inUse(old)) {
      keepOpen(old, part);
      old.replaceWith(document.adoptNode(part));
    }
  }
}

function inUse(part) {
  const dialog = part.querySelector("dialog[open]");
  const changed = [...part.querySelectorAll("input, select")].some((field) => field.type !== "hidden" && dirty(field));
  return Boolean(dialog) || changed || (part.contains(document.activeElement) && document.activeElement !== document.body);
}

function dirty(field) {
  if (field.tagName === "SELECT") return [...field.options].some((each) => each.selected !== each.defaultSelected) && field.dataset.touched;
  return field.value !== field.defaultValue;
}

function keepOpen(old, fresh) {
  const details = fresh.querySelectorAll("details");
  old.querySelectorAll("details").forEach((each, number) => { if (details[number]) details[number].open = each.open; });
}

/** Tile by tile, so that pictures that are there stay there. */
function putTiles(old, fresh) {
  const list = old.querySelector(".gallery");
  const freshList = fresh.querySelector(".gallery");
  old.toggleAttribute("data-settled", fresh.hasAttribute("data-settled"));
  if (!list || !freshList) {
    if (!old.contains(document.activeElement) || !list) old.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
    return;
  }
  const known = new Map([...list.children].map((tile) => [tile.dataset.tile, tile]));
  let place = null;
  for (const tile of [...freshList.children]) {
    const mine = known.get(tile.dataset.tile);
    known.delete(tile.dataset.tile);
    if (mine && (mine.dataset.version === tile.dataset.version || mine.contains(document.activeElement))) {
      place = mine;
      continue;
    }
    const made = document.adoptNode(tile);
    made.classList.add("arrived");
    if (mine) mine.replaceWith(made);
    else if (place) place.after(made);
    else list.prepend(made);
    place = made;
  }
  for (const gone of known.values()) if (!gone.contains(document.activeElement)) gone.remove();
  const pager = old.querySelector(".pager");
  const freshPager = fresh.querySelector(".pager");
  if (!pager && freshPager) old.append(document.adoptNode(freshPager));
}

async function freshen() {
  if (busy || document.hidden) { asked = true; return; }
  busy = true;
  asked = false;
  await new Promise((done) => setTimeout(done, Math.max(0, last + LEAST - Date.now())));
  try {
    const said = new URLSearchParams();
    if (root.dataset.state) said.set("state", root.dataset.state);
    if (root.dataset.after) said.set("after", root.dataset.after);
    const settled = root.querySelector('[data-part="gallery"][data-settled]') && !root.dataset.state;
    const still = settled || (!ended && Date.now() - pictured < PICTURES);
    if (still) said.set("still", "true");
    else pictured = Date.now();
    if (still && !settled) later();
    const answer = await fetch(`${path}/live?${said}`);
    if (answer.status === 401) { location.reload(); return; }
    if (answer.ok) {
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      connected(true);
    }
  } catch {
    connected(false);
  }
  last = Date.now();
  busy = false;
  if (asked) freshen();
}

let waiting = false;
/** The pictures that were left out are asked for, even if nothing else changes. */
function later() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => { waiting = false; freshen(); }, PICTURES);
}

function connected(yes) {
  offline.hidden = yes;
}

/** For who listens instead of looking: each new state, and each tenth of the way. */
function say(job) {
  const items = job.items;
  const done = items.succeeded + items.blocked + items.failed + items.skipped + items.cancelled;
  const tenth = items.total ? Math.floor((done * 10) / items.total) : 0;
  const key = `${job.state} ${tenth}`;
  if (key === told) return;
  if (told) announce.textContent = `${job.state.replaceAll("_", " ")}: ${done} of ${items.total ?? "unknown"} items done`;
  told = key;
}

let seen = root.dataset.seen;
let source;

/** A browser has six connections to a host, for all of its tabs: one that nobody looks at keeps none. */
function listen() {
  if (source || ended || document.hidden) return;
  source = new EventSource(`${path}/events?seen=${encodeURIComponent(seen)}`);
  const changed = (event) => {
    seen = event.lastEventId || seen;
    connected(true);
    say(JSON.parse(event.data));
    freshen();
  };
  source.addEventListener("open", () => connected(true));
  source.addEventListener("snapshot", changed);
  source.addEventListener("change", changed);
  source.addEventListener("end", (event) => {
    ended = true;
    hush();
    changed(event);
  });
  source.addEventListener("error", (event) => {
    if (ended || event.target !== source) return;
    connected(false);
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    hush();
    setTimeout(async () => { await freshen(); listen(); }, 5000);
  });
}

function hush() {
  source?.close();
  source = undefined;
}

root.addEventListener("change", (event) => { event.target.dataset.touched = "yes"; });
listen();
addEventListener("pagehide", hush);
addEventListener("pageshow", listen);
addEventListener("offline", () => connected(false));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { hush(); return; }
  listen();
  if (asked) freshen();
});
