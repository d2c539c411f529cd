"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const base = document.body.dataset.figures;
  const metric = document.getElementById("metric"), more = document.getElementById("more");
  const kept = new Map(), chosen = new Set();

  for (const box of document.querySelectorAll("figure[data-figure]")) {
    const title = document.createElement("h3"), note = document.createElement("p"), chart = document.createElement("div");
    note.className = "note";
    chart.className = "chart";
    box.append(title, note, chart);
    box.setAttribute("aria-busy", "true");
    charts.said(chart, "wait", "Drawing…");
  }

  const show = async (box, again) => {
    const [title, note, chart] = box.children, name = box.dataset.figure;
    try {
      const figure = again && kept.get(box) || await charts.fetched(base + name + (metric ? `?metric=${encodeURIComponent(metric.value)}` : ""));
      if (box.dataset.figure !== name) return;
      kept.set(box, figure);
      title.textContent = figure.meta.title;
      note.textContent = figure.meta.note;
      if (figure.meta.blank) charts.said(chart, "blank", figure.meta.blank);
      else if (name === "parallel_coordinate") parallel.draw(chart, figure, show_only);
      else await charts.draw(chart, figure, name);
    } catch (error) {
      title.textContent ||= name.replaceAll("_", " ");
      charts.said(chart, "alert", error.message, () => show(box));
    } finally {
      box.removeAttribute("aria-busy");
    }
  };
  const figures = [...document.querySelectorAll("figure[data-figure]")];
  const watched = charts.watch(figures, show);
  metric?.addEventListener("change", () => { parallel.clear(); watched.seen.forEach((box) => show(box)); });
  more?.addEventListener("change", () => {
    const box = document.getElementById("more-figure");
    box.dataset.figure = more.value;
    show(box);
  });

  // The table: its links and forms change the address, and fetch the table alone.
  const turn = async (address, push = true) => {
    if (push) history.pushState(null, "", address);
    await luthier.part("runs", true);
  };
  const show_only = (filters) => {
    const url = new URL(location.href);
    filters.forEach((text) => url.searchParams.append("filter", text));
    url.searchParams.delete("offset");
    turn(url.href);
    document.getElementById("runs").scrollIntoView();
  };
  const submitted = (form) => {
    const url = new URL(form.action);
    url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== "")).toString();
    const filter = form.querySelector("#filter");
    if (filter) filter.value = "";
    turn(url.href);
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-table]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    turn(link.href);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-table]")) { event.preventDefault(); submitted(event.target); }
  });
  addEventListener("popstate", () => turn(location.href, false));

  // Runs that were chosen stay chosen on other pages of the table.
  const recount = () => {
    const button = document.getElementById("compare-button"), form = document.getElementById("compare");
    if (!button) return;
    for (const box of form.querySelectorAll('input[type="checkbox"]')) box.checked = chosen.has(box.value);
    button.disabled = chosen.size < 2;
    button.textContent = chosen.size ? `Compare ${chosen.size} runs` : "Compare the chosen";
  };
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.form?.matches("form[data-change]")) submitted(box.form);
    if (box.name !== "runs") return;
    if (box.checked) chosen.add(box.value); else chosen.delete(box.value);
    recount();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "compare") return;
    event.preventDefault();
    location.assign(`/compare?${new URLSearchParams([...chosen].map((id) => ["runs", id]))}`);
  });
  document.addEventListener("swapped", recount);
  for (const box of document.querySelectorAll("#compare input:checked")) chosen.add(box.value);
  recount();

  const head = luthier.paced(1, () => Promise.all([luthier.part("head"), luthier.part("agents")]));
  const runs = luthier.paced(2, () => luthier.part("runs"));
  let quiet = 0;
  const redraw = luthier.paced(4, () => Promise.all(watched.visible().filter((box) => !parallel.busy(box)).map((box) => show(box))));
  luthier.listen((told, kind) => {
    if (kind === "now") return;
    head();
    runs();
    redraw();
    clearTimeout(quiet);
    quiet = setTimeout(redraw, 8000); // what was drawn last may have been a little old
  });
});
