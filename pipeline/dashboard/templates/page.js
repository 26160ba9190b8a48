// @ts-check
// Ties the page's controls to charts and tables.

(() => {
  const EVERYTHING = "overall";

  /** @type {Record<string, (row: DOMStringMap, name: string, value: string) => boolean>} */
  const RULES = {
    equal: (row, name, value) => row[name] === value,
    family: (row, name, value) => value === "*" || row[name] === value || row[name] === EVERYTHING,
    least: (row, name, value) => Number(row[name]) >= Number(value),
  };

  /** @param {HTMLSelectElement} select */
  function choose(select) {
    const { signal = "", chart = "", table = "", rule = "" } = select.dataset;
    void PocketRecCharts.set(chart, signal, select.value);
    const filtered = /** @type {HTMLTableElement | null} */ (document.getElementById(table));
    if (!filtered) return;
    PocketRecTables.filter(filtered, signal, (row) => RULES[rule](row.dataset, signal, select.value));
    if (rule === "equal") {
      for (const meaning of document.querySelectorAll(".meanings > [data-metric]")) {
        const one = /** @type {HTMLElement} */ (meaning);
        one.hidden = one.dataset.metric !== select.value;
      }
    }
  }

  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target?.closest("details"); part; part = part.parentElement?.closest("details")) {
      part.open = true;
    }
    if (target) target.scrollIntoView();
  }

  /** Paper has no folds: all parts are opened for printing, and closed again behind it. */
  function printWhole() {
    /** @type {HTMLDetailsElement[]} */
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = Array.from(document.querySelectorAll("details:not([open])"));
      for (const part of opened) part.open = true;
    });
    addEventListener("afterprint", () => {
      for (const part of opened) part.open = false;
    });
  }

  /** Lights the lines of a node while it is pointed at or has the focus. */
  function lightLines() {
    for (const node of document.querySelectorAll("[data-node]")) {
      const name = node.getAttribute("data-node") ?? "";
      const lines = document.querySelectorAll(`[data-from="${name}"], [data-to="${name}"]`);
      const light = (/** @type {boolean} */ on) => () =>
        lines.forEach((line) => line.classList.toggle("lit", on));
      for (const [kind, on] of /** @type {[string, boolean][]} */ ([
        ["mouseenter", true],
        ["focus", true],
        ["mouseleave", false],
        ["blur", false],
      ])) {
        node.addEventListener(kind, light(on));
      }
    }
  }

  document.documentElement.classList.add("scripted");
  PocketRecTables.start();
  const selects = /** @type {NodeListOf<HTMLSelectElement>} */ (
    document.querySelectorAll("select[data-signal]")
  );
  for (const select of selects) {
    // A browser may restore an earlier choice: what is shown follows the control, not the page.
    choose(select);
    select.addEventListener("change", () => choose(select));
  }
  lightLines();
  printWhole();
  addEventListener("hashchange", openTarget);
  PocketRecCharts.start();
  openTarget();
})();
