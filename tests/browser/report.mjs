// Opens a page that `transect report` wrote in a browser, looks at it and clicks, in light and in dark.
// node report.mjs CHROMIUM PAGE CODE VERSIONS [SCREENSHOTS]: CODE is a stock of the page, VERSIONS a file with what
// `coverage --json` says of versions. Prints what it found as JSON.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page, code, versionsFile, screenshots] = process.argv.slice(2);
const coverage = JSON.parse(readFileSync(versionsFile));
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
// Axes begin and end where the data do: at a day, a month or a year, however few there are. `days` are the panel's
// first and last one, since 1970.
const checkAxes = async (tab, days, wordsOf) => {
  const [first, last] = days.map((day) => new Date(day * 86400000));
  const axes = await tab.evaluate(() => window.charts.filter((chart) => chart.root.isConnected)
    .map(({ root, scales }) => [root.parentElement.id, scales.x.min, scales.x.max]));
  assert.ok(axes.some(([id]) => id === "stock-count") && axes.some(([id]) => id === "distribution"));
  const months = [first, last].map((date, at) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + at, 1 - at) / 1000);
  for (const [id, min, max] of axes) {
    const years = [first, last].map((date) => date.getUTCFullYear());
    const pad = years[0] === years[1] ? 0.5 : 0;
    const ends = id === "distribution" ? [years[0] - pad, years[1] + pad] :
      id === "stock-moves" ? months : [(days[0] - 0.5) * 86400, (days[1] + 0.5) * 86400];
    assert.deepEqual([min, max], ends, id);
    const words = await wordsOf(`#${id} canvas`);
    if (id !== "distribution") assert.ok(words.every((word) => !/[0-9](am|pm)|\//.test(word)), `${id}: ${words}`);
    const told = words.filter((word) => /^\d{4}$/.test(word)).map(Number);
    assert.ok(told.length > 0 && told.every((year) => year >= years[0] && year <= years[1]), `${id}: ${words}`);
  }
};
// What the calendar says and draws of each version and month is what `coverage` says, months that went among them.
const checkCalendar = async (tab) => {
  const months = (dates) => dates.map((date) => `${date.slice(0, 4)}-${date.slice(4, 6)}`);
  const panel = await tab.evaluate(() => JSON.parse(document.getElementById("facts").textContent).dates);
  const known = panel.map((days) => new Date(days * 86400000).toISOString().slice(0, 10).replaceAll("-", ""));
  const dates = [...new Set([...known, ...told.flatMap((one) => one.dirty)])];
  const named = [...new Set(months(dates))].sort();
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
      const all = months(dates).filter((month) => month === name).length;
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
  for (let at = 0; at < coverage.length; at++) {
    const one = coverage[coverage.length - 1 - at];
    await lines.nth(at).click();
    const heading = tab.locator("#version-dates h3"), dates = one.dirty?.length ?? 0;
    assert.equal(await lines.nth(at).locator("td").nth(8).textContent(), one.dirty_dates.toLocaleString("en-US"));
    assert.equal(await heading.count(), dates > 0 ? 1 : 0);
    if (dates > 0) {
      assert.equal(await heading.textContent(), `Dates that version ${one.version} dirtied: ${dates.toLocaleString("en-US")}`);
      const marks = await tab.evaluate(() => {
        const chart = window.charts.findLast(({ root }) => root.isConnected && root.parentElement.id === "version-dates");
        return chart.series.slice(1).map((series, at) => ({ label: series.label, on: chart.data[at + 1].filter((value) => value !== null).length }));
      });
      if ((await tab.textContent("#version")).includes("would make this page too long")) {
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
    for (const column of one.change?.lost ?? []) assert.ok((await tab.textContent("#version")).includes(column));
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
    const dates = await tab.evaluate(() => JSON.parse(document.getElementById("facts").textContent).dates);
    await checkAxes(tab, [dates[0], dates.at(-1)], (canvas) => tab.$eval(canvas, ({ words }) => [...words ?? []]));
    found.unusual = await tab.evaluate(() => JSON.parse(document.getElementById("facts").textContent).unusual.length);
    const unusual = await tab.locator("#unusual tbody tr").count();
    if (unusual > 0) {
      const head = await tab.textContent("#unusual h3");
      assert.ok(head.endsWith(unusual === found.unusual ? `absent: ${unusual}` : `${found.unusual}, of which the newest ${unusual} follow`));
    }
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
