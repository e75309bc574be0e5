// Lays the picture that was made over the one that was given, with a slider between them.
// Without this script they stand side by side.

for (const box of document.querySelectorAll("[data-compare]")) {
  const [, after] = box.querySelectorAll("figure");
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.max = "100";
  slider.value = "50";
  slider.setAttribute("aria-label", "How much of the picture before is shown, in percent");
  const show = () => box.style.setProperty("--shown", `${slider.value}%`);
  slider.addEventListener("input", show);

  const toggle = document.createElement("button");
  toggle.type = "button";
  toggle.className = "compare-toggle";
  const lay = (over) => {
    box.classList.toggle("over", over);
    slider.hidden = !over;
    toggle.textContent = over ? "Side by side" : "One over the other";
    toggle.setAttribute("aria-pressed", String(over));
  };
  toggle.addEventListener("click", () => lay(!box.classList.contains("over")));
  after.after(slider);
  box.after(toggle);
  show();
  lay(false);
}
