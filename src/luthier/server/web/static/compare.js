"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const told = document.getElementById("runs-compared");
  if (!told) return;
  const runs = JSON.parse(told.textContent), x = document.getElementById("x"), differing = document.getElementById("differing");
  const boxes = [...document.querySelectorAll("figure[data-metric]")], kept = new Map();
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("%{", "&#37;{");

  const show = async (box, again) => {
    const [, note, chart] = box.children, metric = box.dataset.metric;
    try {
      const found = again && kept.get(box) || await Promise.all(runs.map((run) => charts.fetched(
        `/api/v1/runs/${encodeURIComponent(run.id)}/curves?${new URLSearchParams([["metric", metric], ["x", x.value], ["points", 500]])}`)));
      kept.set(box, found);
      const data = found.map(({ series: [each] }, k) => ({
        x: each.x, y: each.y, type: "scatter", mode: each.x.length < 40 ? "lines+markers" : "lines", name: plain(runs[k].name),
        line: { width: 1.5, color: charts.COLOURS[k % charts.COLOURS.length] }, marker: { size: 4 },
      })).filter((each) => each.y.some((value) => value !== null));
      note.textContent = found.some(({ series: [each] }) => each.downsampled) ? "first, last, least and greatest of each stretch of rows" : "";
      if (!data.length) return charts.said(chart, "blank", "No finite value.");
      await charts.draw(chart, {
        data, layout: { height: 300, margin: { t: 60, r: 12, b: 40 }, showlegend: true, legend: { orientation: "h", y: -0.2 },
          xaxis: { title: { text: x.value === "time" ? "seconds" : plain(x.value) } } }, meta: {},
      }, metric);
    } catch (error) {
      charts.said(chart, "alert", error.message, () => show(box));
    }
  };
  const watched = charts.watch(boxes, show);
  x.addEventListener("change", () => watched.seen.forEach((box) => show(box)));
  const cut = () => {
    document.querySelectorAll("tr.same").forEach((row) => { row.hidden = differing.checked; });
    document.querySelectorAll("table.values tbody").forEach((group) => { group.hidden = differing.checked && !group.querySelector("tr.differs"); });
    document.querySelector("table.values").classList.toggle("marked", !differing.checked);
  };
  differing.addEventListener("change", cut);
  cut();
});
