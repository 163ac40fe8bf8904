"use strict";
// Draws the page from its facts. All text of theirs is set as text, never as HTML. uPlot draws lines and bands; heat
// maps are drawn here, because it has none.
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const $ = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const DAY = 86400;
  const QUANTILES = ["1 %", "5 %", "25 %", "median", "75 %", "95 %", "99 %"];

  // --- words -------------------------------------------------------------------------------------------------------
  const count = (number) => number.toLocaleString("en-US");
  const percent = (part, of) => {
    const share = of > 0 ? 100 * part / of : 0;
    if (part === 0) return "-";
    if (part === of) return "100 %";
    return share < 0.1 ? "<0.1 %" : share > 99.9 ? ">99.9 %" : share.toFixed(1) + " %";
  };
  const number = (value) => value === null || value === undefined ? "" : String(Number(value.toPrecision(5)));
  const day = (days) => new Date(days * DAY * 1000).toISOString().replace(/^\+0*/, "").slice(0, 10);
  const month = (name) => `${String(Math.floor(name / 100)).padStart(4, "0")}-${String(name % 100).padStart(2, "0")}`;
  const counted = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
  const some = (shown, all) => count(all) + (all > shown ? `, of which the newest ${count(shown)} follow` : "");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const make = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // Puts a table into `place`: `heads` are names, with a leading # where a column is of numbers.
  const table = (place, title, heads, rows, pick) => {
    place.replaceChildren();
    if (rows.length === 0) return;
    if (title) place.append(make("h3", title));
    const made = make("table");
    const line = made.createTHead().insertRow();
    for (const head of heads) line.append(make("th", head.replace("#", ""), head.startsWith("#") ? "number" : ""));
    const body = made.createTBody();
    rows.forEach((row, at) => {
      const line = body.insertRow();
      row.forEach((cell, column) => {
        const made = make("td", cell, heads[column].startsWith("#") ? "number" : heads[column] === "why" ? "wrap" : "");
        if (heads[column] !== "why") made.title = cell;
        line.append(made);
      });
      if (pick) {
        line.className = "click";
        line.tabIndex = 0;
        const go = () => {
          for (const other of body.rows) other.classList.toggle("chosen", other === line);
          pick(at);
        };
        line.addEventListener("click", go);
        line.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
      }
    });
    const box = make("div", undefined, "table");
    box.append(made);
    place.append(box);
  };

  // --- colours -----------------------------------------------------------------------------------------------------
  // From none to all: of ever less lightness on white, of ever more on black (the latter is cividis), so that they can
  // be told apart without seeing hues.
  const RAMPS = {
    light: ["#dbe8f3", "#a9bfd6", "#7c97b8", "#55749b", "#33557f", "#173a66", "#00224e"],
    dark: ["#1d2f4d", "#3b496c", "#575d6d", "#8a8678", "#a59c74", "#d2c060", "#fee838"],
  };
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  let ramp = [];
  const makeRamp = () => {
    const stops = RAMPS[dark.matches ? "dark" : "light"].map(rgb);
    ramp = Array.from({ length: 256 }, (_, at) => {
      const place = at / 255 * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
      return [0, 1, 2].map((c) => Math.round(stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (place - low)));
    });
  };
  // Few holes are what most stocks have: the root of the share tells small ones apart.
  const shade = (share) => ramp[Math.min(255, Math.round(255 * Math.sqrt(share)))];
  const showRamp = (place) => {
    const bar = make("i");
    const stops = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1].map((share) => `rgb(${shade(share)}) ${100 * Math.sqrt(share)}%`);
    bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    place.replaceChildren("none", bar, "all; half-way is a quarter");
  };

  // --- charts ------------------------------------------------------------------------------------------------------
  // Steps of an axis of years or counts, and of one of dates, none of which is less than a day.
  const WHOLE = [...Array(16).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));
  const MONTHS = [1, 2, 3, 6].map((months) => months * 30 * DAY).concat([1, 2, 5, 10, 25, 50, 100].map((years) => years * 365 * DAY));
  const DAYS = [1, 2, 5, 7, 10, 15].map((days) => days * DAY).concat(MONTHS);
  const STAMPS = [[365 * DAY, "{YYYY}"], [28 * DAY, "{MMM}"], [DAY, "{D} {MMM}"]]
    .map(([step, text]) => [step, text, text === "{YYYY}" ? null : "\n{YYYY}", null, null, null, null, null, 1]);
  // The axis of x goes from the first of `ends` to the last, or to what of it was chosen by dragging.
  const within = (x, ends) => (_, min, max) => min <= x[0] && max >= x.at(-1) ? ends : [Math.max(min, ends[0]), Math.min(max, ends[1])];
  const charts = {};
  const chart = (id, title, unit, x, series, more = {}) => {
    const place = $(id);
    charts[id]?.destroy();
    place.replaceChildren();
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
    const isYears = more.years;
    charts[id] = new uPlot({
      title: "", width: Math.max(300, place.clientWidth), height: more.height ?? 220,
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
      scales: { x: { time: !isYears, range: within(x, more.ends ?? [x[0] - DAY / 2, x.at(-1) + DAY / 2]) } },
      cursor: { drag: { x: true, y: false } },
      axes: [
        { ...axis, ...(isYears ? { incrs: WHOLE, values: (_, years) => years.map(String) } :
          { incrs: more.months ? MONTHS : DAYS, values: STAMPS }) },
        { ...axis, ...(unit === "value" ? {} : { incrs: WHOLE }), size: 76, label: unit, labelSize: 20, values: (_, ticks) => ticks.map((tick) => Math.abs(tick) >= 1e7 ||
          (tick !== 0 && Math.abs(tick) < 1e-4) ? tick.toExponential(1) : tick.toLocaleString("en-US", { maximumFractionDigits: 6 })) },
      ],
      series: [isYears ? { label: "year", value: (_, at) => at === null ? "" : String(Math.round(at)) } :
        { label: more.months ? "month" : "date", value: (_, at) => at === null ? "" : day(Math.round(at / DAY)).slice(0, more.months ? 7 : 10) },
        ...series],
      bands: more.bands ?? [],
    }, [x, ...series.map((one) => one.data)], place);
    place.prepend(make("h3", title));
  };
  const line = (label, data, colour, more = {}) =>
    ({ label, data, stroke: colour, width: 1.5, points: { show: data.length === 1 }, value: (_, at) => at === null ? "" : count(at), ...more });
  const dots = (label, data, colour, more = {}) =>
    ({ label, data, stroke: colour, fill: colour, paths: () => null, points: { show: true, size: 7, stroke: colour, fill: colour, ...more },
      value: (_, at) => at === null || at === undefined ? "" : count(at) });
  // Marks that their shapes tell apart, too: the corners of each around its place.
  const marked = (corners) => (chart, series, from, to) => {
    const path = new Path2D(), [x, y] = [chart.data[0], chart.data[series]], half = 4.5 * (window.devicePixelRatio || 1);
    for (let at = from; at <= to; at++) {
      if (y[at] === null) continue;
      const [left, top] = [chart.valToPos(x[at], "x", true), chart.valToPos(y[at], "y", true)];
      corners.forEach(([right, down], corner) => path[corner === 0 ? "moveTo" : "lineTo"](left + right * half, top + down * half));
      path.closePath();
    }
    return { stroke: path, fill: path };
  };
  const KINDS = [
    ["restated", "● restated", "--orange", {}],
    ["added", "▲ added", "--blue", { paths: marked([[0, -1], [1, 0.8], [-1, 0.8]]) }],
    ["removed", "▼ removed", "--text", { paths: marked([[0, 1], [1, -0.8], [-1, -0.8]]) }],
    ["filled", "□ filled", "--soft", { paths: marked([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]]), fill: "transparent" }],
  ];

  const seconds = facts.dates.map((days) => days * DAY);
  const drawOverTime = () => {
    if (seconds.length === 0) return;
    const unusual = new Set(facts.unusual);
    chart("stock-count", "Stocks a date", "stocks", seconds, [
      line("with a row", facts.stocks_on, css("--blue")),
      line("absent", facts.absent, css("--orange"), { dash: [6, 3] }),
      dots("unusual", facts.absent.map((absent, at) => unusual.has(at) ? absent : null), css("--text")),
    ]);
    // A row on the panel's first date is no stock's first one, nor one on its last date a last one.
    const months = facts.months.map(() => [0, 0]);
    facts.dates.forEach((_, at) => {
      if (at > 0) months[facts.month_of[at]][0] += facts.first_on[at];
      if (at < facts.dates.length - 1) months[facts.month_of[at]][1] -= facts.last_on[at];
    });
    drawMoves(months);
    const unusualRows = facts.unusual.slice(-200).reverse();
    table($("unusual"), `Dates on which unusually many stocks are absent: ${some(unusualRows.length, facts.unusual.length)}`,
      ["date", "#stocks", "#absent", "#share"], unusualRows.map((at) => [day(facts.dates[at]),
        count(facts.stocks_on[at]), count(facts.absent[at]), percent(facts.absent[at], facts.absent[at] + facts.stocks_on[at])]));
  };
  const drawMoves = (months) => {
    if (months.every(([first, last]) => first === 0 && last === 0)) {
      $("stock-moves").replaceChildren(make("p", "No stock came after the first date, and none went before the last one."));
      return;
    }
    const bars = { paths: uPlot.paths.bars({ size: [0.8, 40] }), points: { show: false } };
    const ends = [dayOf(facts.months[0], 1), dayOf(facts.months.at(-1) + 1, 0)];
    chart("stock-moves", "First rows (up) and last rows (down) of stocks, a month", "stocks", facts.months.map((name) => dayOf(name, 15)), [
      line("first rows", months.map((one) => one[0] || null), css("--blue"), { ...bars, fill: css("--blue") }),
      line("last rows", months.map((one) => one[1] || null), css("--orange"),
        { ...bars, fill: css("--orange"), value: (_, at) => at === null ? "" : count(-at) }),
    ], { height: 160, ends, months: true });
  };
  // A day of a month, in seconds; Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const dayOf = (name, date) => new Date(0).setUTCFullYear(Math.floor(name / 100), name % 100 - 1, date) / 1000;

  // --- heat maps ---------------------------------------------------------------------------------------------------
  // Draws rows x months. `share(row, month)` is from 0 to 1, or -1 for nothing; where there are more rows than lines of
  // the canvas, a line is the mean of its rows. Says which rows and which month a place is of.
  const heat = (canvas, { rows, named = facts.months, name, share, mark, say, pick }) => {
    const width = Math.max(300, canvas.parentElement.clientWidth), months = named.length;
    const gutter = Math.min(190, Math.round(width / 4)), head = 6, foot = 20, edge = 8;
    const each = rows.length <= 45 ? 14 : Math.max(1, Math.floor(620 / rows.length));
    const height = Math.max(14, Math.min(rows.length * each, 620)), lines = Math.min(rows.length, height);
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round((head + height + foot) * scale);
    canvas.style.height = `${head + height + foot}px`;
    const draw = canvas.getContext("2d");
    draw.scale(scale, scale);
    draw.translate(0, head);
    draw.font = "11px system-ui, sans-serif";
    draw.textBaseline = "middle";
    const of = (line) => [Math.floor(line * rows.length / lines), Math.floor((line + 1) * rows.length / lines)];
    const inner = width - gutter - edge;
    if (lines > 0) {
      const image = new ImageData(months, lines);
      for (let line = 0; line < lines; line++) {
        const [from, to] = of(line);
        for (let month = 0; month < months; month++) {
          let sum = 0, seen = 0;
          for (let row = from; row < to; row++) {
            const value = share(rows[row], month);
            if (value >= 0) { sum += value; seen++; }
          }
          if (seen > 0) image.data.set([...shade(sum / seen), 255], 4 * (line * months + month));
        }
      }
      const cells = document.createElement("canvas");
      cells.width = months;
      cells.height = lines;
      cells.getContext("2d").putImageData(image, 0, 0);
      draw.imageSmoothingEnabled = false;
      draw.drawImage(cells, gutter, 0, inner, height);
    }
    draw.fillStyle = css("--text");
    draw.textAlign = "right";
    const step = Math.max(1, Math.ceil(lines / Math.floor(height / 13)));
    for (let line = 0; line < lines; line += step) {
      let text = name(rows[of(line)[0]]);
      while (text.length > 1 && draw.measureText(text).width > gutter - 10) text = text.slice(0, -2) + "…";
      draw.fillText(text, gutter - 6, (line + 0.5) * height / lines);
    }
    if (mark) {
      draw.fillStyle = css("--orange");
      for (let line = 0; line < lines; line++) {
        const [from, to] = of(line);
        if (rows.slice(from, to).some(mark)) draw.fillRect(width - edge + 1, line * height / lines, edge - 1, Math.max(1, height / lines));
      }
    }
    draw.fillStyle = css("--soft");
    draw.textAlign = "left";
    // Months where there is room for all of them, else years.
    const year = (at) => Math.floor(named[at] / 100);
    const eachMonth = inner / months >= 64;
    let free = 0;
    named.forEach((name, at) => {
      const x = gutter + at * inner / months;
      if ((at === 0 || eachMonth || year(at) !== year(at - 1)) && x >= free && x < width - 30) {
        draw.fillRect(x, height, 1, 5);
        draw.fillText(eachMonth ? month(name) : String(year(at)), x + 3, height + 12);
        free = x + 40;
      }
    });
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      const line = Math.floor((event.clientY - box.top - head) / height * lines);
      const month = Math.floor((event.clientX - box.left - gutter) / inner * months);
      if (line < 0 || line >= lines) return null;
      const [from, to] = of(line);
      return { rows: rows.slice(from, to), month: month >= 0 && month < months ? month : null };
    };
    canvas.onmousemove = (event) => {
      const at = place(event);
      $("tip").hidden = !at;
      if (!at) return;
      $("tip").textContent = say(at.rows, at.month);
      $("tip").style.left = `${Math.min(event.clientX + 14, window.innerWidth - $("tip").offsetWidth - 8)}px`;
      $("tip").style.top = `${Math.min(event.clientY + 14, window.innerHeight - $("tip").offsetHeight - 8)}px`;
    };
    canvas.onmouseleave = () => { $("tip").hidden = true; };
    canvas.onclick = (event) => { const at = place(event); if (at) pick(at.rows); };
  };

  // --- stocks ------------------------------------------------------------------------------------------------------
  const { stocks } = facts;
  const has = facts.heat === null ? null : Uint8Array.from(atob(facts.heat), (c) => c.charCodeAt(0));
  // What a click put into a filter, as the text that stands there: names may have commas.
  const clicked = new Map();
  // Whether a filter lets one of `names` through: those that a click chose, those that it names whole, between commas, or
  // else those that it names in part.
  const matching = (names, filter) => {
    const text = filter.trim();
    if (names.includes(text)) return (name) => name === text;
    if (clicked.has(text)) return (name) => clicked.get(text).has(name);
    const parts = text.split(",").map((part) => part.trim()).filter((part) => part);
    const whole = new Set(parts.filter((part) => names.includes(part)));
    const within = [text, ...parts].filter((part) => part && !whole.has(part)).map((part) => part.toLowerCase());
    const passes = (name) => whole.has(name) || within.some((part) => name.toLowerCase().includes(part));
    return parts.length === 0 ? () => true : passes;
  };
  const monthStart = facts.months.map((_, at) => facts.month_of.indexOf(at));
  // The panel's dates of a month within a stock's life.
  const living = (stock, month) => {
    const from = Math.max(stocks.first[stock], monthStart[month]);
    const to = Math.min(stocks.last[stock], monthStart[month] + facts.month_dates[month] - 1);
    return Math.max(0, to - from + 1);
  };
  const chosenStocks = () => {
    const part = $("stock").value, all = stocks.code.map((_, at) => at);
    const passes = matching(stocks.code, part);
    const chosen = all.filter((at) => passes(stocks.code[at]));
    if ($("order").value === "first") chosen.sort((a, b) => stocks.first[a] - stocks.first[b]);
    if ($("order").value === "holes") chosen.sort((a, b) => stocks.holes[b] - stocks.holes[a]);
    return chosen;
  };
  const STATES = { c: "has the last date", s: "stale", l: "left" };
  const drawStocks = () => {
    const chosen = chosenStocks(), months = facts.months.length;
    if (has === null) {
      $("stock-heat")?.parentElement.replaceChildren(make("p", "There are too many stocks and months to draw; " +
        "the command coverage prints them."));
    } else {
      showRamp($("stock-ramp"));
      heat($("stock-heat"), {
        rows: chosen,
        name: (stock) => stocks.code[stock],
        share: (stock, month) => {
          const of = living(stock, month);
          return of === 0 ? -1 : 1 - has[stock * months + month] / of;
        },
        mark: (stock) => stocks.state[stock] === "s",
        say: (some, at) => {
          const named = some.length === 1 ? stocks.code[some[0]] :
            `${counted(some.length, "stock", "stocks")}, ${stocks.code[some[0]]} to ${stocks.code[some.at(-1)]}`;
          if (at === null) return named;
          const of = some.reduce((sum, stock) => sum + living(stock, at), 0);
          const there = some.reduce((sum, stock) => sum + has[stock * months + at], 0);
          return `${named}\n${month(facts.months[at])}: ` + (of === 0 ? "not listed" :
            `${count(of - there)} of ${counted(of, "date", "dates")} without a row`);
        },
        pick: (some) => filter("stock", some.map((at) => stocks.code[at])),
      });
    }
    const shown = [...chosen].sort((a, b) => (stocks.state[b] === "s") - (stocks.state[a] === "s") ||
      stocks.holes[b] - stocks.holes[a]).slice(0, 100);
    table($("stock-table"), `Stale stocks, then those with most holes (${count(shown.length)} of ${count(chosen.length)})`,
      ["stock", "state", "first", "last", "#rows", "#dates", "#holes", "#share"],
      shown.map((at) => [stocks.code[at], STATES[stocks.state[at]], day(facts.dates[stocks.first[at]]),
        day(facts.dates[stocks.last[at]]), count(stocks.rows[at]), count(stocks.dates[at]), count(stocks.holes[at]),
        percent(stocks.holes[at], stocks.holes[at] + stocks.dates[at])]),
      (at) => filter("stock", [stocks.code[shown[at]]]));
    $("chosen").textContent = `${count(chosen.length)} of ${counted(stocks.code.length, "stock", "stocks")}, ` +
      `${count(chosenColumns().length)} of ${counted(facts.columns.length, "column", "columns")}` +
      ($("stock").value.trim() ? "; stocks over time, columns and numbers are of all stocks" : "");
  };

  // --- columns -----------------------------------------------------------------------------------------------------
  const columnNames = facts.columns.map((column) => column.name);
  const chosenColumns = () => {
    const passes = matching(columnNames, $("column").value);
    return columnNames.map((_, at) => at).filter((at) => passes(columnNames[at]));
  };
  const drawColumns = () => {
    showRamp($("column-ramp"));
    heat($("column-heat"), {
      rows: chosenColumns(),
      name: (at) => facts.columns[at].name,
      share: (at, month) => (facts.columns[at].nulls[month] + facts.columns[at].nans[month]) / Math.max(1, facts.month_rows[month]),
      say: (some, at) => {
        const column = facts.columns[some[0]];
        const named = (some.length === 1 ? column.name : `${column.name} and ${count(some.length - 1)} more`) + `, ${column.type}` +
          (column.source === null ? ", of the key" : `, of ${column.source}`);
        return at === null ? named : `${named}\n${month(facts.months[at])}: ${count(column.nulls[at])} nulls, ` +
          `${count(column.nans[at])} NaNs in ${counted(facts.month_rows[at], "row", "rows")}`;
      },
      pick: (some) => { if (facts.columns[some[0]].years.length > 0) { $("number").value = some[0]; drawNumbers(); } },
    });
    const before = $("number").value;
    const columns = chosenColumns().filter((at) => facts.columns[at].years.length > 0);
    $("number").replaceChildren(...columns.map((at) => {
      const option = make("option", facts.columns[at].name + (facts.columns[at].jump_count > 0 ?
        ` (${counted(facts.columns[at].jump_count, "jump", "jumps")})` : ""));
      option.value = at;
      return option;
    }));
    if (columns.includes(Number(before)) && before !== "") $("number").value = before;
    drawNumbers();
  };
  const JUMPS = { scale: "median of absolute values", zeros: "share of zeros", missing: "share of rows without a number" };
  const drawNumbers = () => {
    const column = facts.columns[Number($("number").value)];
    if ($("number").value === "" || !column) {
      charts.distribution?.destroy();
      delete charts.distribution;
      for (const id of ["distribution", "number-table", "jumps"]) $(id).replaceChildren();
      return;
    }
    // A year is [year, rows, nulls, nans, infinities, zeros, values, least, greatest, seven quantiles].
    const { years } = column;
    // A year alone has some width, so that its bands are seen.
    const points = years.length === 1 ? [years[0], years[0]] : years;
    const x = years.length === 1 ? [years[0][0] - 0.4, years[0][0] + 0.4] : years.map((year) => year[0]);
    const ends = years.length === 1 ? [years[0][0] - 0.5, years[0][0] + 0.5] : [x[0], x.at(-1)];
    const at = (quantile) => points.map((year) => year[9 + quantile]);
    const edge = (quantile) => ({ label: QUANTILES[quantile], data: at(quantile), stroke: `rgba(${css("--band")}, 0.5)`, width: 1,
      points: { show: years.length === 2, size: 5 }, value: (_, value) => number(value) });
    const band = (high, low, alpha) => ({ series: [high, low], fill: `rgba(${css("--band")}, ${alpha})` });
    chart("distribution", `${column.name}: quantiles by year`, "value", x,
      [6, 5, 4, 3, 2, 1, 0].map((quantile) => quantile === 3 ?
        { ...edge(3), stroke: css("--text"), width: 2.5, points: { show: years.length > 1, size: 5 } } : edge(quantile)),
      { years: true, ends, height: 300, bands: [band(1, 7, 0.15), band(2, 6, 0.2), band(3, 5, 0.3)] });
    table($("number-table"), "", ["year", "#rows", "#nulls", "#NaNs", "#infinities", "#zeros", "#least", "#1 %", "#median", "#99 %",
      "#greatest"], [...years].reverse().map((year) => [String(year[0]), count(year[1]), percent(year[2], year[1]),
      percent(year[3], year[1]), count(year[4]), percent(year[5], year[6]), ...[7, 9, 12, 15, 8].map((place) => number(year[place]))]));
    const share = (kind, value) => kind === "scale" ? number(value) : (100 * value).toFixed(0) + " %";
    table($("jumps"), `Jumps: ${some(column.jumps.length, column.jump_count)}`, ["date", "what", "#before", "#after"],
      [...column.jumps].reverse().map(([date, kind, before, after]) => [day(date), JUMPS[kind], share(kind, before), share(kind, after)]));
  };

  // --- versions ----------------------------------------------------------------------------------------------------
  const UNTOLD = { first: "The first version has nothing before it.", gone: "It was built anew, or is one of long ago: what it " +
    "changed in which column and stock is not known.", large: "What it changed would make this page too long; the command log " +
    "tells it." };
  let version = null;
  const drawVersions = () => {
    const newest = [...facts.versions].reverse();
    table($("version-table"), `Versions: ${some(newest.length, facts.version_count)}`, ["#version", "made", "command", "#rows", "#added",
      "#restated", "#removed", "#filled", "#dirty dates", "state"],
      newest.map((one) => [String(one.version), one.made, one.command, count(one.rows), count(one.added), count(one.restated),
        count(one.removed), count(one.filled), count(one.dirty_dates), one.state]),
      (at) => { version = newest[at]; drawVersion(); });
    const choose = (one) => {
      version = one;
      $("version-table").querySelectorAll("tbody tr")
        .forEach((line, at) => line.classList.toggle("chosen", newest[at] === one));
      drawVersion();
    };
    drawCalendar(newest, choose);
    choose(version ?? newest.find((one) => one.change) ?? newest[0] ?? null);
  };
  // Dates that the panel has, and those that went with a version; `dirtied` are places among them.
  const known = [...facts.dates, ...facts.gone].sort((a, b) => a - b);
  const dirtied = ({ change: { dirty } }) => {
    const places = [];
    for (let run = 0; run < dirty.length; run += 2) for (let at = 0; at < dirty[run + 1]; at++) places.push(dirty[run] + at);
    return places;
  };
  const drawCalendar = (newest, choose) => {
    const told = newest.filter((one) => one.change), left = newest.filter((one) => one.untold === "large").length;
    $("calendar").hidden = told.length === 0;
    $("calendar-left").textContent = left === 0 ? "" : `${counted(left, "older version", "older versions")} would make this page too long.`;
    if (told.length === 0) return;
    const places = new Map(), named = [], of = [];
    const monthOf = known.map((days) => {
      const date = new Date(days * DAY * 1000), name = date.getUTCFullYear() * 100 + date.getUTCMonth() + 1;
      if (!places.has(name)) { places.set(name, named.length); named.push(name); of.push(0); }
      of[places.get(name)]++;
      return places.get(name);
    });
    const inMonths = new Map(told.map((one) => {
      const counts = named.map(() => 0);
      for (const place of dirtied(one)) counts[monthOf[place]]++;
      return [one, counts];
    }));
    const sum = (counts) => counts.reduce((sum, count) => sum + count, 0);
    showRamp($("version-ramp"));
    heat($("version-heat"), {
      rows: told,
      named,
      name: (one) => String(one.version),
      share: (one, month) => (inMonths.get(one)[month] || -1) / of[month],
      say: (some, at) => some.slice(0, 10).map((one) => {
        const counts = inMonths.get(one);
        const dates = (of) => counted(of, "dirty date", "dirty dates");
        return `Version ${one.version}: ` + (at === null ? dates(sum(counts)) :
          `${dates(counts[at])} in ${month(named[at])}, which has or had ${count(of[at])}`);
      }).join("\n"),
      pick: (some) => choose(some[0]),
    });
  };
  const drawVersion = () => {
    const place = $("version");
    charts["version-dates"]?.destroy();
    delete charts["version-dates"];
    $("version-dates").replaceChildren();
    place.replaceChildren();
    if (!version) return;
    place.append(make("h3", `Version ${version.version}`));
    const { change, counts } = version;
    if (version.untold) place.append(make("p", UNTOLD[version.untold]));
    if (!change) return;
    const isStock = matching(stocks.code, $("stock").value), isColumn = matching(columnNames, $("column").value);
    const ofColumns = make("div"), ofStocks = make("div");
    if (change.lost.length > 0) place.append(make("p", `Columns that are gone: ${change.lost.join(", ")}.`));
    place.append(ofColumns, ofStocks);
    table(ofColumns, `Most restated columns, then most filled (${count(change.column_count)} in all)`,
      ["column", "#restated", "#filled"], change.columns.filter(([name]) => isColumn(name))
        .map(([name, restated, filled]) => [name, count(restated), count(filled)]));
    table(ofStocks, `Most restated stocks, then most changed (${count(change.stock_count)} in all)`,
      ["stock", "#restated", "#added", "#removed", "#filled"], change.stocks.filter(([code]) => isStock(code))
        .map(([code, added, restated, removed, filled]) => [code, ...[restated, added, removed, filled].map(count)]));
    const dates = dirtied(version);
    if (dates.length === 0) return;
    if (!counts) place.append(make("p", "How many rows it changed on each date would make this page too long."));
    // All known dates, so that what was dirtied stands where it lies in time.
    const on = (values) => {
      const all = known.map(() => null);
      dates.forEach((place, at) => { all[place] = values[at]; });
      return all;
    };
    const told = KINDS.filter(([kind]) => counts?.[kind]);
    const series = told.map(([kind, label, colour, shape]) => dots(label, on(counts[kind].map((rows) => rows || null)), css(colour), shape));
    const unit = told.length > 0 ? "rows" : "dirty", mark = told.length > 0 ? 0 : 1;
    const rest = dates.map((_, at) => told.every(([kind]) => counts[kind][at] === 0) ? mark : null);
    if (rest.includes(mark)) series.push({ ...dots(counts ? "◆ no row, but a column went" : "◆ dirty", on(rest), css("--text"),
      { paths: marked([[0, -1], [1, 0], [0, 1], [-1, 0]]) }), value: (_, at) => at === mark ? "yes" : "" });
    chart("version-dates", `Dates that version ${version.version} dirtied: ${count(dates.length)}`, unit,
      known.map((days) => days * DAY), series, { height: 180 });
  };

  // --- sources -----------------------------------------------------------------------------------------------------
  const drawSources = () => {
    table($("source-table"), "", ["source", "#rows", "#columns", "#files read", "#empty", "#skipped"], facts.sources.map((source) =>
      [source.name, count(source.rows), count(source.columns), count(source.read), count(source.empty), count(source.skipped_count)]));
    const skipped = facts.sources.flatMap((source) => source.skipped.map(([path, why]) => [source.name, path, why]));
    const all = facts.sources.reduce((sum, source) => sum + source.skipped_count, 0);
    table($("skipped"), `Skipped files: ${count(all)}` + (all > skipped.length ? `, of which ${count(skipped.length)} follow` : ""),
      ["source", "file", "why"], skipped);
  };

  // --- the page ----------------------------------------------------------------------------------------------------
  const filter = (field, names) => {
    const text = names.join(", ").trim();
    clicked.set(text, new Set(names));
    $(field).value = $(field).value === text ? "" : text;
    drawChosen();
  };
  const drawChosen = () => { drawStocks(); drawColumns(); drawVersion(); };
  const drawAll = () => {
    makeRamp();
    drawOverTime();
    drawStocks();
    drawColumns();
    drawVersions();
    drawSources();
  };
  let timer = 0;
  const soon = (draw) => { clearTimeout(timer); timer = setTimeout(draw, 150); };
  document.title = `${facts.store}, version ${facts.version}`;
  $("title").textContent = facts.store;
  const told = (letter, one, many) => counted([...stocks.state].filter((state) => state === letter).length, one, many);
  $("summary").textContent = `Version ${facts.version}, made ${facts.made}. ${counted(facts.rows, "row", "rows")} of ` +
    `${counted(stocks.code.length, "stock", "stocks")} on ${counted(facts.dates.length, "date", "dates")}` +
    (facts.dates.length > 0 ? `, ${day(facts.dates[0])} to ${day(facts.dates.at(-1))}` : "") +
    `. On the last date ${told("c", "stock has", "stocks have")} a row; ` +
    `${told("s", "is", "are")} stale, ${told("l", "has", "have")} left.`;
  for (const id of ["stock", "column"]) $(id).addEventListener("input", () => soon(drawChosen));
  $("filters").addEventListener("reset", () => soon(drawChosen));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("order").addEventListener("change", drawStocks);
  $("number").addEventListener("change", drawNumbers);
  dark.addEventListener("change", drawAll);
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; soon(drawAll); } });
  drawAll();
  document.body.dataset.drawn = "true";
})();
