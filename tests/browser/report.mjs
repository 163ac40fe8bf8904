// Opens a page that `transect report` wrote in a browser, looks at it and clicks, in light and in dark.
// node report.mjs CHROMIUM PAGE CODE COVERAGE [SCREENSHOTS]: CODE is a stock of the page, COVERAGE a file with what
// `coverage --json` says of dates, columns and versions. Prints what it found as JSON.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page, code, coverageFile, screenshots] = process.argv.slice(2);
const { dates, columns, versions: coverage } = JSON.parse(readFileSync(coverageFile));
const told = coverage.filter((one) => one.dirty !== null).reverse();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const found = {};
// Notes each chart, and the words that it draws.
const spy = () => {
  window.charts = [];
  let real;
  Object.defineProperty(window, "uPlot", {
    get: () => real,
    set: (made) => { real = class extends made { constructor(...all) { window.charts.push(super(...all)); } }; },
  });
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function(text, ...place) {
    (this.canvas.words ??= new Set()).add(text);
    return fillText.call(this, text, ...place);
  };
};
const seconds = (date) => Date.UTC(date.slice(0, 4), date.slice(4, 6) - 1, date.slice(6)) / 1000;
// What each chart begins and ends with, while this version is chosen: a day, a month or a year of the data, however few
// there are. A chart that has nothing to draw is not there.
const endsOf = (version, column) => {
  const days = dates.map(({ date }) => date), dirty = coverage.flatMap((one) => one.dirty ?? []);
  const known = [...days, ...dirty].sort(), [first, last] = [days[0], days.at(-1)];
  const ofDays = (from, to) => [seconds(from) - 43200, seconds(to) + 43200];
  const month = (date, at) => Date.UTC(date.slice(0, 4), date.slice(4, 6) - 1 + at, 1 - at) / 1000;
  const ends = { "stock-count": ofDays(first, last) };
  if (dates.slice(1).some((date) => date.first > 0) || dates.slice(0, -1).some((date) => date.last > 0)) {
    ends["stock-moves"] = [month(first, 0), month(last, 1)];
  }
  if (column) {
    const [from, to] = [column.years[0].year, column.years.at(-1).year], pad = from === to ? 0.5 : 0;
    ends.distribution = [from - pad, to + pad];
  }
  if (version.dirty?.length > 0) ends["version-dates"] = ofDays(known[0], known.at(-1));
  return ends;
};
const checkAxes = async (tab, version) => {
  const axes = await tab.evaluate(() => window.charts.filter((chart) => chart.root.isConnected)
    .map(({ root, scales }) => [root.parentElement.id, [scales.x.min, scales.x.max]]));
  const name = (await tab.textContent("#number option:checked").catch(() => "")).replace(/ \([\d,]+ jumps?\)$/, "");
  assert.deepEqual(Object.fromEntries(axes), endsOf(version, columns.find((column) => column.name === name)));
  for (const [id, [min, max]] of axes) {
    const years = id === "distribution" ? [min, max] : [min, max].map((at) => new Date(at * 1000).getUTCFullYear());
    const words = await tab.$eval(`#${id} canvas`, ({ words }) => [...words ?? []]);
    if (id !== "distribution") assert.ok(words.every((word) => !/[0-9](am|pm)|\//.test(word)), `${id}: ${words}`);
    const told = words.filter((word) => /^\d{4}$/.test(word)).map(Number);
    assert.ok(told.length > 0 && told.every((year) => year >= years[0] && year <= years[1]), `${id}: ${words}`);
  }
};
// What the calendar says and draws of each version and month is what `coverage` says, months that went among them.
const checkCalendar = async (tab) => {
  const months = (dates) => dates.map((date) => `${date.slice(0, 4)}-${date.slice(4, 6)}`);
  const known = [...new Set([...dates.map(({ date }) => date), ...told.flatMap((one) => one.dirty)])];
  const named = [...new Set(months(known))].sort();
  const found = await tab.$eval("#version-heat", (canvas, [lines, months]) => {
    const { left, top, width, height } = canvas.getBoundingClientRect(), scale = canvas.width / width;
    const gutter = Math.min(190, Math.round(width / 4)), inner = width - gutter - 8, tall = height - 26;
    const tip = document.getElementById("tip"), draw = canvas.getContext("2d");
    const cell = (line, month) => {
      const [x, y] = [month === null ? 4 : gutter + (month + 0.5) * inner / months, 6 + (line + 0.5) * tall / lines];
      canvas.onmousemove({ clientX: left + x, clientY: top + y });
      return [tip.textContent, draw.getImageData(Math.floor(x * scale), Math.floor(y * scale), 1, 1).data[3] > 0];
    };
    const found = [...Array(lines).keys()].map((line) => [cell(line, null)[0], [...Array(months).keys()].map((month) => cell(line, month))]);
    canvas.onmouseleave();
    return found;
  }, [told.length, named.length]);
  const count = (n) => `${n.toLocaleString("en-US")} dirty ${n === 1 ? "date" : "dates"}`;
  told.forEach((one, line) => {
    assert.equal(one.dirty.length, one.dirty_dates);
    assert.equal(found[line][0], `Version ${one.version}: ${count(one.dirty_dates)}`);
    named.forEach((name, at) => {
      const dirty = months(one.dirty).filter((month) => month === name).length;
      const all = months(known).filter((month) => month === name).length;
      const said = `Version ${one.version}: ${count(dirty)} in ${name}, which has or had ${all.toLocaleString("en-US")}`;
      assert.deepEqual(found[line][1][at], [said, dirty > 0]);
    });
  });
};
// Marks of one chart have shapes that can be told apart where no colour is: of the pixels of any two, a fifth differs.
const checkShapes = async (tab) => {
  const shapes = await tab.evaluate(() => {
    const chart = window.charts.findLast(({ root }) => root.isConnected && root.parentElement.id === "version-dates");
    const draw = chart.root.querySelector("canvas").getContext("2d"), half = 5;
    return chart.series.slice(1).map((series, at) => {
      const values = chart.data[at + 1], place = values.findIndex((value) => value !== null);
      const [x, y] = [chart.valToPos(chart.data[0][place], "x", true), chart.valToPos(values[place], "y", true)].map(Math.round);
      draw.fillStyle = series.stroke(chart, at + 1);
      const own = draw.fillStyle.match(/[0-9a-f]{2}/g).map((byte) => parseInt(byte, 16));
      const { data } = draw.getImageData(x - half, y - half, 2 * half + 1, 2 * half + 1);
      const pixels = [...Array(data.length / 4).keys()].filter((n) => own.every((byte, c) => Math.abs(data[4 * n + c] - byte) < 40) && data[4 * n + 3] > 100);
      return [series.label, pixels];
    });
  });
  shapes.forEach(([label, pixels], at) => {
    assert.ok(pixels.length > 5, `${label} is drawn`);
    for (const [other, others] of shapes.slice(0, at)) {
      const both = pixels.filter((pixel) => others.includes(pixel)).length;
      assert.ok(both < 0.8 * (pixels.length + others.length - both), `${label} and ${other} look alike`);
    }
  });
};
// So does the chart of each version.
const checkChosen = async (tab, lines) => {
  const facts = await tab.evaluate(() => JSON.parse(document.getElementById("facts").textContent).versions);
  found.too_long = 0;
  for (let at = 0; at < coverage.length; at++) {
    const one = coverage[coverage.length - 1 - at];
    await lines.nth(at).click();
    const heading = tab.locator("#version-dates h3"), dates = one.dirty?.length ?? 0;
    await checkAxes(tab, one);
    const said = await tab.locator("#version > p").allTextContents();
    const gone = one.change?.lost.length > 0 ? [`Columns that are gone: ${one.change.lost.join(", ")}.`] : [];
    assert.deepEqual(said.filter((text) => text.startsWith("Columns that are gone")), gone);
    assert.equal(await lines.nth(at).locator("td").nth(8).textContent(), one.dirty_dates.toLocaleString("en-US"));
    assert.equal(await heading.count(), dates > 0 ? 1 : 0);
    if (dates > 0) {
      assert.equal(await heading.textContent(), `Dates that version ${one.version} dirtied: ${dates.toLocaleString("en-US")}`);
      const marks = await tab.evaluate(() => {
        const chart = window.charts.findLast(({ root }) => root.isConnected && root.parentElement.id === "version-dates");
        return chart.series.slice(1).map((series, at) => ({ label: series.label, on: chart.data[at + 1].filter((value) => value !== null).length }));
      });
      const isTooLong = said.some((text) => text.includes("would make this page too long"));
      assert.equal(isTooLong, !facts[facts.length - 1 - at].counts);
      if (isTooLong) {
        found.too_long++;
        assert.deepEqual(marks, [{ label: "◆ dirty", on: dates }]);
        continue;
      }
      const counts = ["restated", "added", "removed", "filled"]
        .map((kind) => [kind, one.change.dates.filter((date) => date[kind] > 0).length]);
      counts.push(["no row", one.dirty_dates - one.change.dates.length]);
      await checkShapes(tab);
      assert.deepEqual(marks.map(({ label, on }) => [counts.find(([kind]) => label.includes(kind))[0], on]),
        counts.filter(([, dates]) => dates > 0));
    }
  }
};
try {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 900 } });
    const tab = await context.newPage();
    const wrong = [], asked = [];
    tab.on("console", (message) => { if (message.type() === "error") wrong.push(message.text()); });
    tab.on("pageerror", (error) => wrong.push(String(error)));
    tab.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); return dialog.dismiss(); });
    tab.on("request", (request) => asked.push(request.url()));
    await tab.addInitScript(spy);
    const began = Date.now();
    await tab.goto(pathToFileURL(path.resolve(page)).href);
    await tab.waitForSelector("body[data-drawn]");
    found[`${colorScheme}_ms`] = Date.now() - began;
    if (screenshots) await tab.screenshot({ path: `${screenshots}/${colorScheme}.png`, fullPage: true });

    const colours = (id) => tab.$eval(`#${id}`, (canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    for (const id of ["stock-heat", "column-heat"]) assert.ok(await colours(id) > 2, `${id} is drawn`);
    assert.ok(await tab.locator(".uplot canvas").count() >= 2, "charts are drawn");
    // The newest of which something is told, else the newest.
    await checkAxes(tab, told[0] ?? coverage.at(-1));
    const count = (n) => n.toLocaleString("en-US"), unusual = dates.filter((date) => date.unusual), newest = unusual.slice(-200).reverse();
    found.unusual = unusual.length;
    const lines = await tab.locator("#unusual tbody tr").evaluateAll((lines) => lines.map((line) => [...line.cells].slice(0, 3).map((cell) => cell.textContent)));
    assert.deepEqual(lines, newest.map(({ date, stocks, absent }) =>
      [`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`, count(stocks), count(absent)]));
    const more = unusual.length > newest.length ? `, of which the newest ${count(newest.length)} follow` : "";
    const head = `Dates on which unusually many stocks are absent: ${count(unusual.length)}${more}`;
    assert.deepEqual(await tab.locator("#unusual h3").allTextContents(), unusual.length > 0 ? [head] : []);
    // What comes from data is text.
    assert.equal(await tab.locator("main b, main img, main script").count(), 0);

    await tab.fill("#stock", code);
    await tab.waitForFunction(() => document.getElementById("chosen").textContent.startsWith("1 of "));
    const row = tab.locator("#stock-table tbody tr");
    assert.equal(await row.count(), 1);
    assert.equal(await row.locator("td").first().textContent(), code);
    assert.ok(await colours("stock-heat") > 1);
    await tab.fill("#column", "no such column");
    await tab.waitForFunction(() => document.getElementById("chosen").textContent.includes(", 0 of "));
    assert.equal(await tab.locator("#number option").count(), 0);
    await tab.click("#clear");
    await tab.waitForFunction(() => !document.getElementById("chosen").textContent.includes(", 0 of "));
    assert.ok(await row.count() > 1);

    await tab.hover("#stock-heat", { position: { x: 600, y: 12 } });
    assert.match(await tab.textContent("#tip"), /dates? without a row|not listed/);
    // A click leaves the stocks of the line, one or several, as the tip counts them; another takes that back.
    const tip = await tab.textContent("#tip"), all = await tab.textContent("#chosen");
    const several = /^([\d,]+) stocks, /.exec(tip);
    await tab.click("#stock-heat", { position: { x: 600, y: 12 } });
    assert.ok((await tab.textContent("#chosen")).startsWith(`${several ? several[1] : 1} of `), tip);
    found.stocks_of_a_line = several ? Number(several[1].replace(",", "")) : 1;
    await tab.click("#clear");
    await tab.waitForFunction((all) => document.getElementById("chosen").textContent === all, all);
    await tab.selectOption("#order", "holes");
    const numbers = await tab.locator("#number option").count();
    if (numbers > 1) {
      await tab.selectOption("#number", { index: 1 });
      const name = (await tab.locator("#number option").nth(1).textContent()).replace(/ \([\d,]+ jumps?\)$/, "");
      assert.ok((await tab.textContent("#distribution h3")).startsWith(`${name}: `));
    }
    const versions = tab.locator("#version-table tbody tr");
    await versions.last().click();
    assert.equal(await tab.textContent("#version h3"), `Version ${await versions.last().locator("td").first().textContent()}`);
    // What is chosen stays so when all is drawn again.
    const chosen = await tab.textContent("#version h3");
    await tab.evaluate(() => { window.lines = document.getElementById("version-table").firstElementChild; });
    await tab.setViewportSize({ width: 1180, height: 900 });
    await tab.waitForFunction(() => document.getElementById("version-table").firstElementChild !== window.lines);
    assert.equal(await tab.textContent("#version h3"), chosen);
    assert.equal(await versions.last().getAttribute("class"), "click chosen");
    await versions.first().focus();
    await tab.keyboard.press("Enter");
    assert.equal(await tab.textContent("#version h3"), `Version ${await versions.first().locator("td").first().textContent()}`);

    // The calendar has a line for each version whose dates are told, and chooses one, too.
    assert.equal(await tab.isVisible("#calendar"), told.length > 0);
    if (told.length > 0) {
      assert.ok(await colours("version-heat") > 2 || told.every((one) => one.dirty.length === 0), "the calendar is drawn");
      await checkCalendar(tab);
      await tab.click("#version-heat", { position: { x: 600, y: 12 } });
      assert.equal(await tab.textContent("#version h3"), `Version ${told[0].version}`);
      await checkChosen(tab, versions);
    }

    assert.deepEqual(wrong, []);
    assert.equal(asked.length, 1, `only the page itself is asked for: ${asked.slice(0, 5)}`);
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
