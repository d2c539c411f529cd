"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const base = document.body.dataset.run, x = document.getElementById("x");
  const boxes = [...document.querySelectorAll("figure[data-metric]")], kept = new Map();

  const show = async (box, again) => {
    const [, note, chart] = box.children, metric = box.dataset.metric;
    try {
      const found = again && kept.get(box)
        || await charts.fetched(`${base}/curves?${new URLSearchParams([["metric", metric], ["x", x.value], ["points", 1000]])}`);
      kept.set(box, found);
      const [series] = found.series;
      note.textContent = !series.downsampled ? "" : `${found.rows.toLocaleString()} rows: first, last, least and greatest of each stretch`
        + (series.sampled ? ", as far as a sample of them tells" : "");
      if (!series.y.some((value) => value !== null)) return charts.said(chart, "blank", "No finite value.");
      const mode = series.x.length < 40 ? "lines+markers" : "lines";
      await charts.draw(chart, {
        data: [{ x: series.x, y: series.y, type: "scatter", mode, name: metric, line: { width: 1.5 }, marker: { size: 4 } }],
        layout: { height: 230, margin: { t: 60, r: 12, b: 40 }, showlegend: false, xaxis: { title: { text: charts_label(x.value) } } }, meta: {},
      }, metric);
    } catch (error) {
      charts.said(chart, "alert", error.message, () => show(box));
    }
  };
  const charts_label = (name) => name === "time" ? "seconds" : name.replaceAll("<", "&lt;");
  const watched = charts.watch(boxes, show);
  x.addEventListener("change", () => watched.seen.forEach((box) => show(box)));

  // Output: new lines are added at the end, earlier ones at the beginning.
  const lines = document.getElementById("lines"), follow = document.getElementById("follow"), earlier = document.getElementById("earlier");
  const MOST = 5000;
  let next = Number(lines.dataset.next), first = Number(lines.dataset.first), attempt = Number(lines.dataset.attempt), reading = false;
  // As the server shows them: no colours of a terminal, and of what was overwritten only the last.
  const clean = (text) => text.replace(/\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])/g, "")
    .replace(/\r+$/, "").split("\r").pop().replaceAll("\t", "    ").replace(/[\x00-\x1f\x7f]/g, "·");
  const spans = (items) => items.map((line) => {
    const span = document.createElement("span");
    if (line.stream === "err") span.className = "err";
    span.textContent = clean(line.text);
    return span;
  });
  const bottom = () => { if (follow.checked) lines.scrollTop = lines.scrollHeight; };
  const grow = async () => {
    if (reading) return;
    reading = true;
    try {
      for (;;) {
        const found = await charts.fetched(`${base}/output?first=${next}&limit=1000`);
        if (found.attempt !== attempt) {
          attempt = found.attempt;
          next = first = 0;
          lines.replaceChildren();
          continue;
        }
        lines.append(...spans(found.items));
        while (lines.childElementCount > MOST) { lines.firstElementChild.remove(); first += 1; earlier.hidden = false; }
        next += found.items.length;
        document.getElementById("nothing").hidden = next > 0;
        bottom();
        if (found.items.length < 1000) return;
      }
    } catch (error) {
      luthier.toast(`Output: ${error.message}`);
    } finally {
      reading = false;
    }
  };
  earlier.addEventListener("click", async () => {
    const from = Math.max(0, first - 500);
    try {
      const found = await charts.fetched(`${base}/output?attempt=${attempt}&first=${from}&limit=${first - from}`);
      follow.checked = false;
      const height = lines.scrollHeight;
      lines.prepend(...spans(found.items));
      lines.scrollTop += lines.scrollHeight - height;
      first = from;
      earlier.hidden = first === 0;
    } catch (error) {
      luthier.toast(`Output: ${error.message}`);
    }
  });
  follow.addEventListener("change", bottom);
  bottom();

  const head = luthier.paced(1, () => Promise.all([luthier.part("head"), luthier.part("values")]));
  const output = luthier.paced(0.5, grow);
  const redraw = luthier.paced(2, () => Promise.all(watched.visible().map((box) => show(box))));
  let rows = null;
  luthier.listen((told, kind) => {
    if (told.lines > next || told.attempt !== attempt) output();
    if (kind === "change") head();
    if (rows !== null && told.rows !== rows) {
      if (!boxes.length) location.reload();
      redraw();
    }
    rows = told.rows ?? rows;
  });
});
