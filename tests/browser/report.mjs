// Opens a page that `transect report` wrote in a browser, looks at it and clicks, in light and in dark.
// node report.mjs CHROMIUM PAGE CODE [SCREENSHOTS]: CODE is a stock of the page. Prints what it found as JSON.
import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page, code, screenshots] = process.argv.slice(2);
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
    await versions.first().focus();
    await tab.keyboard.press("Enter");
    assert.equal(await tab.textContent("#version h3"), `Version ${await versions.first().locator("td").first().textContent()}`);

    assert.deepEqual(wrong, []);
    assert.equal(asked.length, 1, `only the page itself is asked for: ${asked.slice(0, 5)}`);
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
