// What TensorFlow Model Analysis's components use of Google Charts, drawn here: they fetch it from
// the network, and without one show nothing. The table, columns and lines; other types say so.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const COLOURS = ["#1a6fb5", "#c2570c", "#2e7d46", "#8e44ad"];
  const MARGIN = { top: 28, right: 12, bottom: 8, left: 52 };

  const valueOf = (cell) => (cell !== null && typeof cell === "object" && "v" in cell ? cell.v : cell);
  const textOf = (cell) => {
    if (cell !== null && typeof cell === "object" && "f" in cell && cell.f !== undefined) return String(cell.f);
    const value = valueOf(cell);
    if (value === null || value === undefined) return "";
    return typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(5) : String(value);
  };
  const compare = (a, b) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    if (typeof x === "number" && typeof y === "number") return x - y;
    return String(x).localeCompare(String(y), "en", { numeric: true });
  };

  class DataTable {
    constructor(source) {
      this.columns = (source?.cols ?? []).map((column) => ({ ...column, label: column.label ?? column.id ?? "" }));
      this.rows = (source?.rows ?? []).map((row) => row.c ?? row);
    }
    addRows(rows) {
      this.rows.push(...rows);
    }
    getNumberOfRows() {
      return this.rows.length;
    }
    getNumberOfColumns() {
      return this.columns.length;
    }
    getColumnLabel(column) {
      return this.columns[column].label;
    }
    getValue(row, column) {
      return valueOf(this.rows[row][column]);
    }
    sort(order) {
      const keys = (Array.isArray(order) ? order : [order]).map((key) => (typeof key === "number" ? { column: key } : key));
      this.rows.sort((a, b) => {
        for (const { column, desc } of keys) {
          const difference = compare(a[column], b[column]);
          if (difference) return desc ? -difference : difference;
        }
        return 0;
      });
    }
  }

  // Columns of a table by number; computed ones (annotations) carry no figure of their own.
  class DataView {
    constructor(table) {
      this.table = table;
      this.shown = table.columns.map((_, index) => index);
    }
    setColumns(columns) {
      this.shown = columns.filter((column) => typeof column === "number");
    }
    get columns() {
      return this.shown.map((index) => this.table.columns[index]);
    }
    get rows() {
      return this.table.rows.map((row) => this.shown.map((index) => row[index]));
    }
    getNumberOfRows() {
      return this.table.rows.length;
    }
    getTableRowIndex(row) {
      return row;
    }
  }

  const arrayToDataTable = (rows) => {
    const table = new DataTable();
    table.columns = (rows[0] ?? []).map((head) =>
      head !== null && typeof head === "object" ? { ...head, label: head.label ?? "" } : { label: String(head) },
    );
    table.rows = rows.slice(1).map((row) => [...row]);
    return table;
  };

  const listeners = new WeakMap();
  const events = {
    addListener(target, name, callback) {
      if (!target) return;
      if (!listeners.has(target)) listeners.set(target, []);
      listeners.get(target).push({ name, callback });
    },
    addOneTimeListener(target, name, callback) {
      let done = false;
      events.addListener(target, name, (data) => {
        if (!done) {
          done = true;
          callback(data);
        }
      });
    },
    trigger(target, name, data) {
      for (const listener of [...(listeners.get(target) ?? [])]) if (listener.name === name) listener.callback(data);
    },
  };

  const element = (name, attributes, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  class Chart {
    constructor(container) {
      this.container = container;
      this.selection = [];
    }
    getSelection() {
      return this.selection;
    }
    setSelection(selection) {
      this.selection = selection ?? [];
      this.mark();
    }
    choose(row, column) {
      const same = this.selection.some((chosen) => chosen.row === row);
      this.setSelection(same ? [] : [{ row, column }]);
      events.trigger(this, "select");
    }
    mark() {
      for (const shape of this.container.querySelectorAll("[data-row]")) {
        const chosen = this.selection.some((one) => String(one.row) === shape.dataset.row);
        shape.classList.toggle("chosen", chosen);
        shape.style.outline = chosen ? "2px solid currentColor" : "";
      }
    }
    draw(data, options = {}) {
      this.container.replaceChildren(this.render(data, options));
      this.mark();
      events.trigger(this, "ready");
    }
  }

  class Table extends Chart {
    constructor(container) {
      super(container);
      this.order = null;
      this.page = 0;
    }
    render(data, options) {
      const indexes = data.rows.map((_, index) => index);
      if (this.order) {
        const { column, ascending } = this.order;
        indexes.sort((a, b) => compare(data.rows[a][column], data.rows[b][column]) * (ascending ? 1 : -1));
      }
      const size = options.page === "enable" ? (options.pageSize ?? 10) : indexes.length;
      const pages = Math.max(1, Math.ceil(indexes.length / Math.max(1, size)));
      this.page = Math.min(this.page, pages - 1);
      const box = document.createElement("div");
      const table = box.appendChild(document.createElement("table"));
      table.style.cssText = "border-collapse:collapse;font:14px system-ui,sans-serif;width:100%";
      const head = table.createTHead().insertRow();
      data.columns.forEach(({ label }, column) => {
        const cell = head.appendChild(document.createElement("th"));
        cell.scope = "col";
        cell.style.cssText = "text-align:left;padding:4px 12px 4px 0;border-bottom:2px solid #888";
        const button = cell.appendChild(document.createElement("button"));
        const sorted = this.order?.column === column;
        cell.ariaSort = sorted ? (this.order.ascending ? "ascending" : "descending") : "none";
        button.textContent = sorted ? `${label} ${this.order.ascending ? "▲" : "▼"}` : label;
        button.style.cssText = "all:unset;cursor:pointer;font-weight:600";
        button.onclick = () => {
          this.order = { column, ascending: sorted ? !this.order.ascending : true };
          this.draw(data, options);
          const order = data.rows.map((_, index) => index);
          order.sort((a, b) => compare(data.rows[a][column], data.rows[b][column]) * (this.order.ascending ? 1 : -1));
          events.trigger(this, "sort", { ...this.order, sortedIndexes: order });
        };
      });
      const body = table.createTBody();
      for (const index of indexes.slice(this.page * size, (this.page + 1) * size)) {
        const row = body.insertRow();
        row.dataset.row = String(index);
        row.style.cursor = "pointer";
        row.onclick = () => this.choose(index, null);
        for (const cell of data.rows[index]) {
          const place = row.insertCell();
          place.style.cssText = "padding:3px 12px 3px 0;border-bottom:1px solid #ccc";
          // The component's own elements, for bounded values and the like.
          if (options.allowHtml) place.innerHTML = textOf(cell);
          else place.textContent = textOf(cell);
        }
      }
      if (pages > 1) {
        const turn = (by, text) => {
          const button = box.appendChild(document.createElement("button"));
          button.textContent = text;
          button.disabled = this.page + by < 0 || this.page + by >= pages;
          button.onclick = () => {
            this.page += by;
            this.draw(data, options);
            events.trigger(this, "page", { page: this.page });
          };
        };
        turn(-1, "‹ previous");
        box.append(` page ${this.page + 1} of ${pages} `);
        turn(1, "next ›");
      }
      return box;
    }
  }

  class Plot extends Chart {
    render(data, options) {
      const figures = data.columns.map((_, index) => index).slice(1).filter((index) => data.columns[index].type !== "string" && !data.columns[index].role);
      const width = options.width > 0 ? options.width : this.container.clientWidth || 680;
      const height = options.height > 0 ? options.height : 200;
      const svg = element("svg", { width, height, role: "img", "font-family": "system-ui, sans-serif", "font-size": 11 });
      const labels = figures.map((index) => data.columns[index].label).join(", ");
      svg.setAttribute("aria-label", `${options.title || labels} of ${data.columns[0]?.label ?? ""}: ${data.rows.map((row) => `${textOf(row[0])} ${figures.map((f) => textOf(row[f])).join(" ")}`).join("; ")}`);
      svg.append(element("text", { x: MARGIN.left, y: 16, fill: "currentColor" }, options.title || labels));
      const values = data.rows.flatMap((row) => figures.map((index) => Number(valueOf(row[index])))).filter(Number.isFinite);
      if (!values.length) return svg;
      const least = this.fromZero ? Math.min(0, ...values) : Math.min(...values);
      const most = Math.max(...values);
      const span = most - least || 1;
      const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
      const y = (value) => MARGIN.top + inner.height * (1 - (value - least) / span);
      for (const tick of [least, least + span / 2, least + span]) {
        svg.append(element("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick), stroke: "currentColor", "stroke-opacity": 0.2 }));
        svg.append(element("text", { x: MARGIN.left - 6, y: y(tick) + 4, "text-anchor": "end", fill: "currentColor" }, tick.toPrecision(3)));
      }
      figures.forEach((column, series) => {
        const marks = data.rows.map((row, index) => ({ row: index, value: Number(valueOf(row[column])), label: textOf(row[column]), text: `${textOf(row[0])}: ${textOf(row[column])}` }));
        this.series(svg, marks.filter((mark) => Number.isFinite(mark.value)), { y, inner, series, of: figures.length, count: data.rows.length, base: y(Math.max(least, 0)) });
      });
      return svg;
    }
    shape(svg, name, attributes, mark, column) {
      const shape = element(name, { ...attributes, "data-row": mark.row, tabindex: 0 });
      shape.append(element("title", {}, mark.text));
      shape.onclick = () => this.choose(mark.row, column);
      shape.onmouseover = () => events.trigger(this, "onmouseover", { row: mark.row, column });
      shape.onmouseout = () => events.trigger(this, "onmouseout", { row: mark.row, column });
      svg.append(shape);
    }
  }

  class ColumnChart extends Plot {
    fromZero = true;
    // The histogram of TFMA marks buckets by their place among Google's groups: the bars are the
    // second child of the first group that has a clip path, their labels its third sibling.
    series(svg, marks, { y, inner, series, of, count, base }) {
      const clipped = svg.appendChild(element("g", { "clip-path": "none" }));
      clipped.append(element("g", {}));
      const bars = clipped.appendChild(element("g", {}));
      svg.append(element("g", {}), element("g", {}));
      const labels = svg.appendChild(element("g", { "text-anchor": "middle", fill: "currentColor" }));
      const step = inner.width / Math.max(1, count);
      const thick = (step * 0.8) / of;
      for (const mark of marks) {
        const top = Math.min(y(mark.value), base);
        const x = MARGIN.left + step * (mark.row + 0.1) + thick * series;
        const height = Math.max(1, Math.abs(base - y(mark.value)));
        this.shape(bars, "rect", { x, y: top, width: thick, height, fill: COLOURS[series % COLOURS.length] }, mark, series + 1);
        labels.append(element("text", { x: x + thick / 2, y: top - 3 }, step > 24 && mark.value ? mark.label : ""));
      }
    }
  }

  class LineChart extends Plot {
    fromZero = false;
    series(svg, marks, { y, inner, series, count }) {
      const x = (row) => MARGIN.left + (count > 1 ? (inner.width * row) / (count - 1) : inner.width / 2);
      const colour = COLOURS[series % COLOURS.length];
      svg.append(element("polyline", { points: marks.map((mark) => `${x(mark.row)},${y(mark.value)}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2 }));
      for (const mark of marks) this.shape(svg, "circle", { cx: x(mark.row), cy: y(mark.value), r: 4, fill: colour }, mark, series + 1);
    }
  }

  class Unavailable extends Chart {
    render() {
      const text = document.createElement("p");
      text.textContent = "This kind of chart needs Google Charts from the network.";
      return text;
    }
  }

  const TYPES = { Table, ColumnChart, LineChart };

  class ChartWrapper {
    constructor({ container }) {
      this.container = container;
      this.chart = null;
      this.options = {};
    }
    setChartType(type) {
      this.chart = new (TYPES[type] ?? Unavailable)(this.container);
      events.addListener(this.chart, "ready", () => events.trigger(this, "ready"));
      events.addListener(this.chart, "select", () => events.trigger(this, "select"));
    }
    getChart() {
      return this.chart;
    }
    setDataTable(data) {
      this.data = data;
    }
    setOptions(options) {
      this.options = options;
    }
    draw() {
      if (this.chart && this.data) this.chart.draw(this.data, this.options);
    }
  }

  window.google = {
    charts: { load: () => Promise.resolve() },
    visualization: { DataTable, DataView, arrayToDataTable, events, ChartWrapper, Table, ColumnChart, LineChart },
  };
})();
