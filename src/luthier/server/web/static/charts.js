"use strict";
// Figures of plotly's: fetched when they come near, drawn in the colours of the page.
const charts = (() => {
  const PANEL = 250, NARROW = 640;
  const COLOURS = ["#3b7dd8", "#d9822b", "#2e9e73", "#d0484f", "#9467bd", "#8c6d53", "#d668a8", "#3aa6b9", "#a3a02c", "#8a929c"];
  let loading = null;

  const plotly = () => loading ??= new Promise((loaded, failed) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotly;
    script.onload = loaded;
    script.onerror = () => { loading = null; failed(new Error("the script that draws could not be fetched")); };
    document.head.append(script);
  });

  const template = () => {
    const dark = luthier.dark(), ink = dark ? "#c9ced6" : "#39404a", rule = dark ? "#2c323a" : "#e6e9ed", zero = dark ? "#454d57" : "#cdd2d9";
    const axis = { gridcolor: rule, zerolinecolor: zero, linecolor: zero, automargin: true, title: { standoff: 8 } };
    return { layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis, colorway: COLOURS,
      font: { color: ink, size: 12, family: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" },
      hoverlabel: { bgcolor: dark ? "#262b32" : "#ffffff", bordercolor: zero, font: { color: ink } },
      legend: { bgcolor: "rgba(0,0,0,0)" }, modebar: { bgcolor: "rgba(0,0,0,0)", color: zero, activecolor: ink },
    } };
  };

  const shape = (figure, width) => {
    const { panels, min_width, least = PANEL - 20 } = figure.meta, narrow = width < NARROW;
    const layout = { ...figure.layout, template: template(), autosize: true };
    const { t = 76, l = 60, r = 20 } = layout.margin ?? {};
    layout.margin = { ...layout.margin, t: Math.max(20, t - 52), l: narrow ? Math.min(l, 44) : l, r: narrow ? Math.min(r, 16) : r };
    if (panels > 1) {
      const columns = Math.max(1, Math.min(panels, Math.max(layout.grid.columns, Math.floor(width / 320)), Math.floor(width / least)));
      const rows = Math.ceil(panels / columns);
      layout.grid = { ...layout.grid, columns, rows, xgap: 0.24, ygap: rows > 4 ? 0.36 : 0.3 };
      layout.height = rows * PANEL + 90;
    }
    if (narrow && layout.coloraxis?.colorbar) layout.coloraxis = { ...layout.coloraxis, showscale: false };
    if (min_width > width) { layout.autosize = false; layout.width = min_width; }
    return layout;
  };

  const config = (name) => ({
    responsive: false, displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
    showSendToCloud: false, plotlyServerURL: "", toImageButtonOptions: { filename: name, scale: 2 },
  });

  const said = (box, kind, text, retry) => {
    if (window.Plotly && box.classList.contains("js-plotly-plot")) Plotly.purge(box);
    const line = document.createElement("p");
    line.className = kind;
    line.textContent = text;
    box.replaceChildren(line);
    if (retry) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Try again";
      button.addEventListener("click", retry);
      box.append(button);
      line.setAttribute("role", "alert");
    }
  };

  // One figure after the other, the page breathing in between.
  let turn = Promise.resolve();
  const draw = (box, figure, name) => {
    const mine = turn.then(() => drawn(box, figure, name));
    turn = mine.catch(() => {}).then(() => new Promise((go) => setTimeout(go, 0)));
    return mine;
  };
  const drawn = async (box, figure, name) => {
    await plotly();
    if (!box.classList.contains("js-plotly-plot")) box.replaceChildren();
    const width = box.clientWidth;
    await Plotly.react(box, structuredClone(figure.data), shape(figure, width), config(name));
    box.style.minHeight = "0";
  };

  const fetched = async (address) => {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : `the server answered ${answer.status}`);
    return body;
  };

  // Draws what is near now, later what comes near; and again when the width or the theme changes.
  const watch = (boxes, work) => {
    const seen = new Set();
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) { seen.add(target); work(target); near.unobserve(target); }
      }
    }, { rootMargin: "150px" });
    boxes.forEach((box) => near.observe(box));
    let width = innerWidth, waiting = 0;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { if (innerWidth !== width) { width = innerWidth; seen.forEach((box) => work(box, true)); } }, 200);
    });
    luthier.onTheme(() => seen.forEach((box) => work(box, true)));
    addEventListener("beforeprint", () => boxes.forEach((box) => seen.has(box) || work(box)));
    return { visible: () => [...seen].filter((box) => { const at = box.getBoundingClientRect(); return at.bottom > -300 && at.top < innerHeight + 300; }), seen };
  };

  return { draw, said, fetched, watch, COLOURS };
})();
