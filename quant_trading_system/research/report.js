"use strict";
// Readings under the pointer or the finger, and the search in the table. The page is complete without this.
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const place of document.querySelectorAll(".tip")) {
    const title = place.querySelector("title");
    place.dataset.told = title.textContent;
    title.remove();
  }
  document.addEventListener("pointermove", (event) => {
    const place = event.target.closest?.(".tip");
    tip.hidden = !place;
    if (!place) return;
    tip.textContent = place.dataset.told;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 12, 8)}px`;
  });
  document.addEventListener("pointerleave", () => (tip.hidden = true));

  const search = document.querySelector("#search");
  if (!search) return;
  const rows = [...document.querySelectorAll("#fills tbody tr")];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const count = document.querySelector("#found");
  search.hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    rows.forEach((row, i) => {
      row.hidden = !wanted.every((word) => words[i].includes(word));
      found += row.hidden ? 0 : 1;
    });
    count.textContent = wanted.length ? `${found} found` : "";
  });
})();
