// A part of a page that the server has rendered, in the place of what was there. Scripts in it never run.

/** Put it there. */
export function put(place, html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  place.replaceChildren(...parsed.body.childNodes);
}
