// The pages' script: theme, ages of times, the fleet's filter, and charts, drawn when they come into view.
(() => {
  "use strict";
  const STALE_SECONDS = 3 * 3600, ROWS_AT_FIRST = 200, PRINT_COLUMNS = 2;
  const root = document.documentElement;

  // Theme: before the first paint, so that nothing flashes.
  const read = () => { try { return localStorage.getItem("modelwatch-theme"); } catch { return null; } };
  const keep = (name) => { try { localStorage.setItem("modelwatch-theme", name); } catch { /* not allowed: for this page only */ } };
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = read();
  const theme = () => (chosen === "dark" || chosen === "light") ? chosen : system.matches ? "dark" : "light";
  const showTheme = () => { root.dataset.theme = theme(); };
  showTheme();

  const ready = (start) => document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", start) : start();
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  // Times: absolute in the page, and how long ago beside it.
  const length = (seconds) => {
    const minutes = Math.max(0, Math.floor(seconds / 60));
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
    return `${Math.floor(minutes / 1440)} d`;
  };
  const showAges = () => {
    const now = Date.now() / 1000;
    for (const element of all("time")) {
      const age = now - Date.parse(element.dateTime) / 1000;
      if (Number.isNaN(age)) continue;
      if (element.classList.contains("ago")) {
        element.textContent = length(age);
        element.title = `${element.dateTime.slice(0, 16).replace("T", " ")} UTC`;
      } else element.title = age >= 0 ? `${length(age)} ago` : `in ${length(-age)}`;
    }
    const main = document.getElementById("main"), notice = document.getElementById("stale");
    const built = Math.max(Number(main.dataset.asOf) || 0, Number(window.modelwatchBuilt) || 0);
    const old = now - built > STALE_SECONDS;
    notice.hidden = !old;
    const text = `This page is from ${new Date(built * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC, ${length(now - built)} ago: it may not show what is so now.`;
    if (old && notice.textContent !== text) notice.textContent = text;
  };

  // The fleet's table.
  const startFleet = () => {
    const table = document.getElementById("fleet");
    if (!table) return;
    const form = document.getElementById("filter"), search = document.getElementById("search"), owner = document.getElementById("owner");
    const body = table.tBodies[0], rows = [...body.rows];
    const moment = (cell) => { const time = cell.querySelector("time"); return time ? -Date.parse(time.dateTime) : 0; };
    const known = rows.map((row, rank) => ({
      row, rank, text: row.textContent.toLowerCase(), name: row.cells[1].querySelector("a").textContent.toLowerCase(),
      since: moment(row.cells[4]), data: moment(row.cells[6]), health: row.dataset.health, owner: row.dataset.owner,
    }));
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    const filter = () => {
      const colours = new Set(all("input[name=health]:checked", form).map((input) => input.value));
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const one of known) {
        const shown = colours.has(one.health) && (!owner.value || one.owner === owner.value) && words.every((word) => one.text.includes(word));
        if (one.row.hidden === shown) one.row.hidden = !shown;
        count += shown;
      }
      document.getElementById("count").textContent = count === 1 ? "1 model" : `${count} models`;
      document.getElementById("none").hidden = count > 0;
      const state = new URLSearchParams();
      if (colours.size < 4) state.set("health", [...colours].join(","));
      if (owner.value) state.set("owner", owner.value);
      if (search.value) state.set("search", search.value);
      try { history.replaceState(null, "", String(state) ? `#${state}` : location.pathname + location.search); } catch { /* of a file some browsers forbid it */ }
    };
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.has("health")) {
      const wanted = given.get("health").split(",");
      for (const input of all("input[name=health]", form)) input.checked = wanted.includes(input.value);
    }
    if ([...owner.options].some((option) => option.value === given.get("owner"))) owner.value = given.get("owner");
    search.value = given.get("search") || "";
    form.addEventListener("input", filter);
    if (String(given)) filter();
    for (const head of all("th[data-sort]", table)) {
      const key = head.dataset.sort, button = make("button", head.textContent, { type: "button" });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const sign = descending ? -1 : 1;
        known.sort((a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : a.rank - b.rank));
        body.append(...known.map((one) => one.row));
      });
    }
  };

  // Data of charts: columns to rows, as columns.py says.
  const expandColumn = (column) => {
    if (Array.isArray(column)) return column;
    if (column.runs) return column.runs.flatMap(([value, count]) => Array(count).fill(value));
    if (column.moments) return column.moments.map((time) => time * 1000);
    const times = [column.start * 1000];
    for (const [step, count] of column.steps) for (let number = 0; number < count; number += 1) times.push(times[times.length - 1] + step * 1000);
    return times;
  };
  const expand = (chart) => {
    const columns = Object.fromEntries(Object.entries(chart.columns).map(([name, column]) => [name, expandColumn(column)]));
    const datasets = {};
    for (const [name, blocks] of Object.entries(chart.datasets)) {
      datasets[name] = blocks.flatMap((block) => {
        const fields = Object.entries(block.columns).map(([field, column]) => [field, columns[column]]);
        return fields.length ? fields[0][1].map((_, row) => ({ ...block.constants, ...Object.fromEntries(fields.map(([field, cells]) => [field, cells[row]])) })) : [];
      });
    }
    return datasets;
  };
  const paint = (part, tokens) => {
    if (Array.isArray(part)) return part.map((one) => paint(one, tokens));
    if (part && typeof part === "object") return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, key === "domain" || key === "sort" ? value : paint(value, tokens)]));
    return typeof part === "string" && Object.hasOwn(tokens, part) ? tokens[part] : part;
  };
  const numberText = (value, unit) => {
    if (value === null || value === undefined) return "—";
    if (unit === "%") return `${(value * 100).toLocaleString("en", { maximumSignificantDigits: 4 })} %`;
    const size = Math.abs(value), text = size && (size < 1e-4 || size >= 1e9) ? value.toExponential(3) : value.toLocaleString("en", { maximumSignificantDigits: Math.max(4, Math.ceil(Math.log10(size + 1))) });
    return ["ms", "s", "min", "h", "d"].includes(unit) ? `${text} ${unit}` : text;
  };
  const timeText = (time) => `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;

  // Charts.
  const figures = new Map();
  const chartOf = (figure) => {
    if (!figures.has(figure)) {
      const chart = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
      figures.set(figure, { ...chart, rows: expand(chart), drawn: "" });
    }
    return figures.get(figure);
  };
  const draw = async (figure, wanted = theme(), columns = 0) => {
    const chart = chartOf(figure), { tokens, legendWidth } = window.modelwatchThemes;
    if (chart.drawn === wanted) return;
    if (!window.vegaEmbed) {
      figure.querySelector(".drawing").textContent = "The chart library was not loaded; the numbers are in the table below.";
      return;
    }
    const config = structuredClone(window.modelwatchThemes.config);
    config.legend.columns = columns || Math.max(1, Math.floor(figure.clientWidth / legendWidth));
    chart.drawn = figure.dataset.drawn = wanted;
    const place = figure.querySelector(".drawing");
    const spec = { ...paint(chart.spec, tokens[wanted]), datasets: chart.rows };
    if (chart.kind === "small") spec.columns = Math.max(1, Math.min(8, Math.floor((figure.clientWidth + 10) / 122)));
    try {
      const old = chart.view;
      const made = await window.vegaEmbed(place, spec, {
        actions: false, ast: true, config: paint(config, tokens[wanted]), defaultStyle: false, renderer: "svg", tooltip: { disableDefaultStyle: true },
      });
      if (old) old.finalize();
      chart.view = made.view;
      figure.classList.add("drawn");
    } catch (error) {
      place.textContent = "This chart cannot be drawn; its numbers are in the table below.";
      console.error(error);
    }
  };

  // The pointer and the arrow keys on a chart over time: every line's value at one moment.
  const startCursor = (figure) => {
    const chart = chartOf(figure);
    if (chart.kind !== "time") return;
    const lines = new Map();
    for (const row of chart.rows.lines) {
      if (!lines.has(row.n)) lines.set(row.n, new Map());
      lines.get(row.n).set(row.t, row.v);
    }
    const times = [...new Set(chart.rows.lines.map((row) => row.t))].sort((a, b) => a - b);
    if (!times.length) return;
    const bands = new Map((chart.rows.bands || []).map((row) => [row.t, row]));
    const box = make("div", null, { class: "cursor", hidden: "" }), rule = make("div", null, { class: "cursor-rule", hidden: "" });
    const voice = make("p", null, { class: "hidden", "aria-live": "polite" });
    figure.append(rule, box, voice);
    let at = times.length;
    const hide = () => { box.hidden = rule.hidden = true; };
    const show = (index, aloud) => {
      if (!chart.view) return;
      at = Math.max(0, Math.min(times.length - 1, index));
      const time = times[at], band = bands.get(time);
      const entries = [...lines].map(([name, values]) => [name, values.get(time)]).filter(([, value]) => value !== undefined);
      const list = make("dl");
      for (const [name, value] of entries) list.append(make("dt", name), make("dd", numberText(value, chart.unit)));
      if (band && band.lo !== null) list.append(make("dt", "interval"), make("dd", `${numberText(band.lo, chart.unit)} to ${numberText(band.hi, chart.unit)}`));
      const notes = [];
      for (const span of chart.rows.spans || []) if (span.t <= time && time <= span.u) notes.push(`${span.k}: ${span.x}`);
      for (const period of chart.rows.periods || []) if (period.t <= time && time <= period.u) notes.push(period.x);
      const near = (times[times.length - 1] - times[0]) / 100;
      for (const moment of chart.rows.moments || []) if (Math.abs(moment.t - time) <= near) notes.push(moment.x);
      box.replaceChildren(make("b", timeText(time)), list, ...notes.slice(0, 4).map((text) => make("p", text)));
      const drawing = figure.querySelector(".drawing").getBoundingClientRect(), frame = figure.getBoundingClientRect();
      const x = chart.view.origin()[0] + chart.view.scale("x")(time) + drawing.left - frame.left;
      rule.style.left = `${x}px`;
      box.hidden = rule.hidden = false;
      const width = box.offsetWidth;
      box.style.left = `${Math.max(0, Math.min(frame.width - width, x + 12 + width > frame.width ? x - width - 12 : x + 12))}px`;
      if (aloud) voice.textContent = `${timeText(time)}: ${entries.map(([name, value]) => `${name} ${numberText(value, chart.unit)}`).join(", ")}. ${notes.join(", ")}`;
    };
    figure.addEventListener("pointermove", (event) => {
      if (!chart.view) return;
      const drawing = figure.querySelector(".drawing").getBoundingClientRect();
      const time = Number(chart.view.scale("x").invert(event.clientX - drawing.left - chart.view.origin()[0]));
      let low = 0, high = times.length - 1;
      while (low < high) { const middle = (low + high) >> 1; if (times[middle] < time) low = middle + 1; else high = middle; }
      show(low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low, false);
    });
    figure.addEventListener("pointerleave", hide);
    figure.addEventListener("blur", hide);
    figure.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24, Home: -Infinity, End: Infinity };
      if (event.key === "Escape") hide();
      if (!(event.key in steps) || event.target !== figure) return;
      event.preventDefault();
      show(at + steps[event.key], true);
    });
  };

  // The numbers of a panel as a table, made when it is opened.
  const TITLES = { t: "Time (UTC)", n: "Name", v: "Value", lo: "From", hi: "To", x: "Text", y: "Share", r: "Reference", w: "Week", a: "From", k: "State" };
  const tableOf = (chart) => {
    if (chart.kind === "time") {
      const names = [...new Set(chart.rows.lines.map((row) => row.n))], byTime = new Map();
      for (const row of chart.rows.lines) {
        if (!byTime.has(row.t)) byTime.set(row.t, {});
        byTime.get(row.t)[`line ${row.n}`] = row.v;
      }
      const bands = new Map((chart.rows.bands || []).map((row) => [row.t, row]));
      const heads = ["Time (UTC)", ...names, ...(bands.size ? ["From", "To"] : [])];
      const rows = [...byTime].sort(([a], [b]) => b - a).map(([time, cells]) => {
        const band = bands.get(time) || {};
        return [timeText(time), ...names.map((name) => numberText(cells[`line ${name}`], chart.unit)), ...(bands.size ? [numberText(band.lo, chart.unit), numberText(band.hi, chart.unit)] : [])];
      });
      return { heads, rows };
    }
    const rows = chart.rows.bars || chart.rows.curves || [];
    const order = ["w", "n", "x", "a", "v", "y", "r", "lo", "hi"];
    const fields = order.filter((field) => rows.some((row) => row[field] !== undefined && row[field] !== null && row[field] !== "") && !(field === "a" && chart.rows.bars));
    const shares = new Set(["y", "r"]);
    return {
      heads: fields.map((field) => field === "x" && !rows.some((row) => row.v !== undefined) ? "Bin" : TITLES[field]),
      rows: rows.map((row) => fields.map((field) => typeof row[field] === "number" ? numberText(row[field], shares.has(field) ? "%" : chart.unit) : row[field] ?? "—")),
    };
  };
  const fillTable = (details) => {
    if (details.dataset.filled) return;
    details.dataset.filled = "yes";
    const panel = details.closest(".panel");
    for (const figure of all("figure.chart", panel)) {
      const { heads, rows } = tableOf(chartOf(figure));
      const region = make("div", null, { class: "scroll tall", role: "region", tabindex: "0", "aria-label": `${panel.querySelector("h3").textContent}: data` });
      const table = make("table"), head = make("tr"), body = make("tbody");
      for (const text of heads) head.append(make("th", text, { scope: "col" }));
      const add = (some) => body.append(...some.map((cells) => { const row = make("tr"); row.append(...cells.map((cell) => make("td", cell))); return row; }));
      add(rows.slice(0, ROWS_AT_FIRST));
      table.append(make("thead"), body);
      table.tHead.append(head);
      region.append(table);
      details.append(region);
      if (rows.length > ROWS_AT_FIRST) {
        const more = make("button", `Show all ${rows.length} rows`, { type: "button" });
        more.addEventListener("click", () => { add(rows.slice(ROWS_AT_FIRST)); more.remove(); });
        details.append(more);
      }
    }
  };

  const startCharts = () => {
    const found = all("figure.chart");
    if (!found.length) return;
    for (const figure of found) {
      let begun = false;
      const begin = () => { if (!begun) { begun = true; startCursor(figure); } };
      figure.addEventListener("pointerenter", begin);
      figure.addEventListener("focus", begin);
    }
    for (const details of all("details.data")) details.addEventListener("toggle", () => { if (details.open) fillTable(details); });
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); draw(entry.target); }
    }, { rootMargin: "300px" });
    for (const figure of found) watcher.observe(figure);
    // The others follow while nothing else is to do: printing does not wait for a drawing.
    const idle = window.requestIdleCallback || ((start) => setTimeout(start, 200));
    const queue = found.filter((figure) => !figure.closest("details"));
    let isBusy = false;
    const next = () => {
      const figure = queue.shift();
      isBusy = Boolean(figure);
      if (figure) draw(figure).then(() => idle(next));
    };
    addEventListener("load", () => idle(next));
    for (const details of all("details.folded")) {
      details.addEventListener("toggle", () => {
        if (!details.open) return;
        queue.push(...all("figure.chart", details));
        if (!isBusy) next();
      });
    }
    const redraw = (wanted) => Promise.all(found.filter((figure) => chartOf(figure).drawn).map((figure) => draw(figure, wanted)));
    document.addEventListener("modelwatch:theme", () => redraw());
    // Paper is white, and shows everything.
    window.modelwatchPrint = async () => {
      root.dataset.theme = "light";
      for (const details of all("details.folded")) details.open = true;
      for (const figure of found) chartOf(figure).drawn = "";
      await Promise.all(found.map((figure) => draw(figure, "light", PRINT_COLUMNS)));
    };
    addEventListener("beforeprint", () => { window.modelwatchPrint(); });
    addEventListener("afterprint", () => {
      showTheme();
      for (const figure of found) chartOf(figure).drawn = "on paper";
      redraw();
    });
  };

  ready(() => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = theme() === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${theme() === "dark" ? "light" : "dark"} colours`); };
    const change = () => { showTheme(); label(); document.dispatchEvent(new Event("modelwatch:theme")); };
    button.hidden = false;
    label();
    button.addEventListener("click", () => { chosen = theme() === "dark" ? "light" : "dark"; keep(chosen); change(); });
    system.addEventListener("change", change);
    showAges();
    setInterval(showAges, 60000);
    startFleet();
    startCharts();
  });
})();
