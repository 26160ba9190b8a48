// @ts-check
// Tables that sort by a click on a heading and filter by text; without this script they show all.

const PocketRecTables = (() => {
  /** @typedef {(row: HTMLTableRowElement) => boolean} Rule */
  /** @type {WeakMap<HTMLTableElement, Map<string, Rule>>} */
  const rules = new WeakMap();

  /** @param {HTMLTableElement} table */
  const rowsOf = (table) => Array.from(table.tBodies[0].rows);

  /** @param {HTMLTableElement} table */
  function apply(table) {
    const all = [...(rules.get(table) ?? new Map()).values()];
    const rows = rowsOf(table);
    for (const row of rows) row.hidden = !all.every((rule) => rule(row));
    const shown = rows.filter((row) => !row.hidden).length;
    const count = document.querySelector(`[data-count-of="${table.id}"]`);
    if (count) count.textContent = `${shown} of ${rows.length} rows`;
  }

  /**
   * Shows only rows that a rule lets through, beside those set before under other names.
   * @param {HTMLTableElement} table
   * @param {string} name
   * @param {Rule} rule
   */
  function filter(table, name, rule) {
    if (!rules.has(table)) rules.set(table, new Map());
    rules.get(table)?.set(name, rule);
    apply(table);
  }

  /** @param {HTMLTableCellElement} cell @param {boolean} isNumber */
  function key(cell, isNumber) {
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    return isNumber ? null : (cell.textContent ?? "");
  }

  /** @param {HTMLTableElement} table @param {number} place */
  function sort(table, place) {
    const heading = table.tHead?.rows[0].cells[place];
    if (!heading) return;
    const isNumber = heading.classList.contains("number");
    const before = heading.getAttribute("aria-sort");
    const first = isNumber ? "descending" : "ascending";
    const second = isNumber ? "ascending" : "descending";
    const direction = before === first ? second : first;
    for (const other of table.tHead?.rows[0].cells ?? []) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const order = rowsOf(table).map((row) => ({ row, key: key(row.cells[place], isNumber) }));
    order.sort((a, b) => {
      if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
      if (typeof a.key === "number" && typeof b.key === "number") return sign * (a.key - b.key);
      return sign * String(a.key).localeCompare(String(b.key), "en", { numeric: true });
    });
    table.tBodies[0].append(...order.map((entry) => entry.row));
  }

  /** @param {HTMLTableElement} table */
  function toCsv(table) {
    const rows = [...(table.tHead?.rows ?? []), ...rowsOf(table).filter((row) => !row.hidden)];
    const quote = (/** @type {HTMLTableCellElement} */ cell) =>
      `"${(cell.dataset.value ?? cell.textContent ?? "").trim().replaceAll('"', '""')}"`;
    return rows.map((row) => Array.from(row.cells, quote).join(",")).join("\r\n") + "\r\n";
  }

  /** @param {HTMLTableElement} table */
  function addTools(table) {
    const tools = document.createElement("div");
    tools.className = "tools";
    const label = document.createElement("label");
    label.className = "search";
    label.append("Rows that contain");
    const input = document.createElement("input");
    input.type = "search";
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      filter(table, "text", (row) => (row.textContent ?? "").toLowerCase().includes(wanted));
    });
    label.append(input);
    const count = document.createElement("span");
    count.className = "count";
    count.setAttribute("role", "status");
    count.dataset.countOf = table.id;
    const save = document.createElement("button");
    save.type = "button";
    save.textContent = "Save these rows as CSV";
    save.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([toCsv(table)], { type: "text/csv" }));
      link.download = `${table.id}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    });
    tools.append(label, count, save);
    (table.closest(".scroll") ?? table).before(tools);
    apply(table);
  }

  function start() {
    for (const table of document.querySelectorAll("table")) {
      if (table.dataset.filter !== undefined) addTools(table);
      if (table.dataset.sort === undefined) continue;
      Array.from(table.tHead?.rows[0].cells ?? []).forEach((heading, place) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...heading.childNodes);
        button.addEventListener("click", () => sort(table, place));
        heading.append(button);
      });
    }
  }

  return { filter, start };
})();
