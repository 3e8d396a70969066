"use strict";
// Sorts a table by the column whose head is clicked; empty and undefined fields go last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const order = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const numeric = head.classList.contains("num");
      const key = (row) => row.cells[column].textContent.trim();
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        const [noX, noY] = [x === "" || x === "–", y === "" || y === "–"];
        if (noX || noY) return noX - noY;
        const found = numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true });
        return down ? -found : found;
      };
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const limit = Number(table.dataset.first);
      const sorted = order.slice().sort(compare);
      sorted.forEach((row, index) => row.classList.toggle("more", index >= limit));
      body.append(...sorted);
    });
  });
}
for (const button of document.querySelectorAll("button.all-rows")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const table = document.getElementById(button.getAttribute("aria-controls"));
    const all = table.classList.toggle("all");
    button.setAttribute("aria-expanded", String(all));
    button.textContent = all ? button.dataset.fewer : button.dataset.more;
  });
}
// Says of what is wider than the page that it can be scrolled, until it was.
const wide = Array.from(document.querySelectorAll(".table, .wide figure"), (frame) => {
  const note = document.createElement("p");
  note.className = "sideways";
  note.textContent = "Wider than the page: scroll it sideways";
  note.hidden = true;
  frame.before(note);
  const look = () => {
    const hidden = frame.scrollWidth - frame.clientWidth;
    note.hidden = hidden < 2;
    frame.classList.toggle("scrolls", hidden >= 2);
    frame.classList.toggle("at-end", hidden >= 2 && frame.scrollLeft > hidden - 2);
  };
  frame.addEventListener("scroll", look, { passive: true });
  return look;
});
const look = () => wide.forEach((each) => each());
look();
addEventListener("resize", look);
for (const part of document.querySelectorAll("details")) part.addEventListener("toggle", look);
