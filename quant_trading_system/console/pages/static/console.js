"use strict";
/* Patches what has changed, so that focus, selection and scrolling stay where they are. */
window.qts = {
  patch(slots, tables) {
    for (const [name, html] of Object.entries(slots)) {
      const place = document.querySelector(`[data-slot="${name}"]`);
      if (place) place.innerHTML = html;
    }
    for (const [name, change] of Object.entries(tables)) this.rows(name, change.order, change.rows);
  },
  /* Where the pages do not all fit beside each other, the one that is open is in view. */
  here() {
    const link = document.querySelector(".side a[aria-current]");
    if (link) link.parentElement.scrollLeft = link.offsetLeft - (link.parentElement.clientWidth - link.clientWidth) / 2;
  },
  rows(name, order, rows) {
    const body = document.querySelector(`tbody[data-rows="${name}"]`);
    if (!body) return;
    const known = new Map([...body.children].map((row) => [row.dataset.key, row]));
    const template = document.createElement("template");
    let before = body.firstElementChild;
    for (const key of order) {
      let row = known.get(key);
      if (key in rows) {
        template.innerHTML = rows[key];
        const fresh = template.content.firstElementChild;
        if (row) {
          if (row === before) before = before.nextElementSibling;
          row.remove();
        }
        row = fresh;
      }
      known.delete(key);
      if (!row) continue;
      if (row === before) before = before.nextElementSibling;
      else body.insertBefore(row, before);
    }
    for (const row of known.values()) row.remove();
  },
};
/* Shift+H opens the halt from everywhere but a field in which somebody writes. */
document.addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "H" && event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey && !writes) {
    event.preventDefault();
    document.getElementById("halt")?.click();
  }
});
/* A button in a table tells the page what it is for; the page's own code does it. */
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-deed]");
  if (button) emitEvent("deed", { deed: button.dataset.deed, subject: button.dataset.subject });
});
