"use strict";
// Filters and sorts the table of denials. It reads text and hides rows; it must never make markup of text.
(() => {
  const box = document.getElementById("filter");
  const table = document.getElementById("denials");
  if (!box || !table) return;
  const body = table.tBodies[0];
  const shown = document.getElementById("shown");
  const rows = Array.from(body.rows, (row) => ({
    row,
    text: row.textContent.toLowerCase(),
    path: row.querySelector("td.path").dataset.sort,
    count: Number(row.dataset.count),
  }));

  let beneath = null;
  const matches = (one) => {
    if (beneath === null) {
      return box.value.toLowerCase().split(/\s+/).every((word) => one.text.includes(word));
    }
    return one.path === beneath || one.path.startsWith(beneath === "/" ? "/" : `${beneath}/`);
  };
  const apply = () => {
    const seen = rows.filter((one) => {
      one.row.hidden = !matches(one);
      return !one.row.hidden;
    });
    const denials = seen.reduce((sum, one) => sum + one.count, 0);
    shown.textContent = `${seen.length} of ${rows.length} rows, ${denials} denials`;
  };
  box.addEventListener("input", () => {
    beneath = null;
    apply();
  });

  for (const button of document.querySelectorAll(".tree button")) {
    button.hidden = false;
    button.addEventListener("click", (event) => {
      event.preventDefault();
      beneath = button.dataset.path;
      box.value = beneath;
      apply();
      table.scrollIntoView();
      box.focus({ preventScroll: true });
    });
  }

  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const key = (one) => one.row.cells[column].dataset.sort ?? one.row.cells[column].textContent;
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sorted = rows.slice().sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
      if (order === "descending") sorted.reverse();
      body.replaceChildren(...sorted.map((one) => one.row));
    });
  });

  document.querySelector(".filter").hidden = false;
  apply();
})();
