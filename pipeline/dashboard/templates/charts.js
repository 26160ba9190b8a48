// @ts-check
// Draws each chart from the specification beside it, the visible ones first.

const PocketRecCharts = (() => {
  /** Room for one entry of a legend, in pixels. */
  const LEGEND_WIDTH = 170;
  /** Share of a chart's width that the names of its rows may take. */
  const LABEL_SHARE = 0.3;

  /** @type {Map<Element, Promise<any>>} */
  const views = new Map();

  /** @param {string | null | undefined} text */
  const parse = (text) => JSON.parse(text ?? "null");

  /**
   * Draws a chart once, and returns its view.
   * @param {Element} figure
   * @returns {Promise<any>}
   */
  function draw(figure) {
    const known = views.get(figure);
    if (known) return known;
    const place = figure.querySelector(".drawing");
    const spec = parse(figure.querySelector("script")?.textContent);
    const config = parse(document.getElementById("vega-config")?.textContent);
    // A legend is laid out once, before the chart knows how wide it will be.
    const width = place?.clientWidth ?? 0;
    config.legend.columns = Math.max(1, Math.floor(width / LEGEND_WIDTH));
    config.axisY.labelLimit = Math.max(LEGEND_WIDTH / 2, width * LABEL_SHARE);
    // The interpreter instead of compiled expressions: the page's policy allows no eval.
    const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config };
    // @ts-ignore the library is inlined before this script
    const drawn = vegaEmbed(place, spec, options).then((result) => result.view);
    views.set(figure, drawn);
    return drawn;
  }

  /** @param {Element} figure */
  const isHidden = (figure) => figure.closest("details:not([open])") !== null;

  /** Draws what is not in a closed part of the page, and pauses in between. */
  async function drawAll() {
    for (const figure of document.querySelectorAll(".chart")) {
      if (isHidden(figure)) continue;
      await draw(figure);
      await new Promise((resolve) => setTimeout(resolve));
    }
    document.documentElement.dataset.drawn = "all";
  }

  /**
   * Sets what a chart shows.
   * @param {string} anchor
   * @param {string} signal
   * @param {string} value
   */
  async function set(anchor, signal, value) {
    const figure = document.getElementById(anchor);
    if (!figure) return;
    const view = await draw(figure);
    await view.signal(signal, signal === "windows" ? Number(value) : value).runAsync();
    const band = Number(/** @type {HTMLElement} */ (figure).dataset.band ?? 0);
    if (band) await view.height(band * Math.max(1, view.scale("y").domain().length)).runAsync();
  }

  function start() {
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) void draw(entry.target);
    });
    for (const figure of document.querySelectorAll(".chart")) watcher.observe(figure);
    void drawAll();
    for (const part of document.querySelectorAll("details")) {
      part.addEventListener("toggle", () => void drawAll());
    }
  }

  return { set, start };
})();
