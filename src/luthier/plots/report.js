"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const PANEL = 250, NARROW = 640;
  const drawn = new Map();

  const dark = () => {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  // What figures have in common; the colours that say something are in the figures themselves.
  const template = () => {
    const ink = dark() ? "#c9ced6" : "#39404a", rule = dark() ? "#2c323a" : "#e6e9ed", zero = dark() ? "#454d57" : "#cdd2d9";
    const axis = { gridcolor: rule, zerolinecolor: zero, linecolor: zero, automargin: true, title: { standoff: 8 } };
    return { layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis,
      font: { color: ink, size: 12, family: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" },
      colorway: ["#3b7dd8", "#d9822b", "#2e9e73", "#d0484f", "#9467bd", "#8c6d53", "#d668a8", "#3aa6b9", "#a3a02c", "#8a929c"],
      hoverlabel: { bgcolor: dark() ? "#262b32" : "#ffffff", bordercolor: zero, font: { color: ink } },
      legend: { bgcolor: "rgba(0,0,0,0)" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: zero, activecolor: ink },
    } };
  };

  const shape = (figure, width) => {
    const { panels, min_width, least = PANEL - 20 } = figure.meta, narrow = width < NARROW;
    const layout = { ...figure.layout, template: template(), autosize: true };
    const { t = 76, l = 60, r = 20 } = layout.margin ?? {};
    const slim = narrow && !min_width; // the title is above the figure, as text of the page
    layout.margin = { ...layout.margin, t: Math.max(24, t - 46), l: slim ? Math.min(l, 44) : l, r: slim ? Math.min(r, 16) : r };
    if (panels > 1) {
      const columns = Math.max(1, Math.min(panels, layout.grid.columns, Math.floor(width / least)));
      const rows = Math.ceil(panels / columns);
      layout.grid = { ...layout.grid, columns, rows, xgap: 0.24, ygap: rows > 4 ? 0.36 : 0.3 };
      layout.height = rows * PANEL + 90;
    }
    if (narrow && layout.coloraxis?.colorbar) {
      layout.coloraxis = { ...layout.coloraxis, showscale: false };
    }
    if (min_width && min_width > width) {
      layout.autosize = false;
      layout.width = min_width;
    }
    return layout;
  };

  const draw = (chart) => {
    const figure = figures[chart.dataset.figure], width = chart.parentElement.clientWidth;
    const config = {
      responsive: true, displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
      showSendToCloud: false, plotlyServerURL: "", toImageButtonOptions: { filename: chart.id, scale: 2 },
    };
    Plotly.react(chart, structuredClone(figure.data), shape(figure, width), config);
    chart.style.minHeight = "";
    drawn.set(chart, width);
  };

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !drawn.has(target)) draw(target);
    }
  }, { rootMargin: "600px" });
  const charts = document.querySelectorAll(".chart");
  charts.forEach((chart) => near.observe(chart));

  const again = () => drawn.forEach((_, chart) => draw(chart));
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawn.forEach((width, chart) => {
      if (chart.parentElement.clientWidth !== width) draw(chart);
    }), 150);
  });
  addEventListener("beforeprint", () => charts.forEach((chart) => drawn.has(chart) || draw(chart)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    again();
  });
})();
