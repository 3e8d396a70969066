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
