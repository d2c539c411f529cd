"use strict";
// Parallel coordinates: lines on a canvas, axes over it, on which one drags (or uses the arrow keys) to choose trials.
const parallel = (() => {
  const SVG = "http://www.w3.org/2000/svg", HEIGHT = 400, TOP = 58, BOTTOM = 26, SIDE = 64, LEAST = 96;
  const TYPES = { f8: Float64Array, f4: Float32Array, i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array };
  const brushes = new Map(); // by column: [low, high] in units of the axis
  let held = false;

  const numbers = (values) => {
    if (Array.isArray(values)) return values;
    const bytes = Uint8Array.from(atob(values.bdata), (letter) => letter.charCodeAt(0));
    return [...new TYPES[values.dtype](bytes.buffer)];
  };
  const spoken = (text) => new DOMParser().parseFromString(text, "text/html").documentElement.textContent;
  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent?.append(node);
    return node;
  };
  const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
  const mixed = (scale, at) => {
    const upper = Math.max(1, scale.findIndex(([place]) => place >= at)), [a, from] = scale[upper - 1], [b, to] = scale[upper];
    const share = b > a ? (at - a) / (b - a) : 0;
    const part = (text, k) => parseInt(text.slice(1 + 2 * k, 3 + 2 * k), 16);
    return `rgb(${[0, 1, 2].map((k) => Math.round(part(from, k) + share * (part(to, k) - part(from, k)))).join(",")})`;
  };

  const draw = (box, figure, show_only) => {
    const [trace] = figure.data;
    const axes = trace.dimensions.map((each, k) => ({
      ...figure.meta.axes[k], values: numbers(each.values), low: each.range[0], high: each.range[1], marks: numbers(each.tickvals ?? []),
      texts: (each.ticktext ?? []).map(spoken), name: figure.meta.axes[k].column.replace(/^[^/]*\//, ""),
    }));
    const colours = numbers(trace.line.color), count = axes[0].values.length;
    const width = Math.max(box.clientWidth, LEAST * (axes.length - 1) + 2 * SIDE);
    const crowded = width / axes.length < 170;
    const x = (k) => SIDE + k * (width - 2 * SIDE) / Math.max(1, axes.length - 1);
    const y = (axis, value) => HEIGHT - BOTTOM - (value - axis.low) / (axis.high - axis.low) * (HEIGHT - TOP - BOTTOM);
    const value = (axis, at) => axis.low + (HEIGHT - BOTTOM - at) / (HEIGHT - TOP - BOTTOM) * (axis.high - axis.low);

    const frame = document.createElement("div"), canvas = document.createElement("canvas"), foot = document.createElement("div");
    frame.className = "parallel";
    foot.className = "chosen";
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${HEIGHT}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const svg = make("svg", { width, height: HEIGHT, role: "group", "aria-label": figure.meta.title });
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);

    const passes = (trial) => axes.every((axis) => {
      const brush = brushes.get(axis.column);
      return !brush || (axis.values[trial] >= brush[0] && axis.values[trial] <= brush[1]);
    });
    const lines = () => {
      pen.clearRect(0, 0, width, HEIGHT);
      const inside = [], outside = [];
      for (let trial = 0; trial < count; trial += 1) (passes(trial) ? inside : outside).push(trial);
      inside.sort((one, other) => colours[one] - colours[other]);
      pen.lineWidth = count > 300 ? 0.8 : 1.3;
      const line = (trial) => {
        pen.beginPath();
        axes.forEach((axis, k) => pen[k ? "lineTo" : "moveTo"](x(k), y(axis, axis.values[trial])));
        pen.stroke();
      };
      pen.globalAlpha = 0.12;
      pen.strokeStyle = luthier.dark() ? "#8a929c" : "#8a929c";
      outside.forEach(line);
      pen.globalAlpha = count > 300 ? 0.55 : 0.85;
      inside.forEach((trial) => { pen.strokeStyle = mixed(trace.line.colorscale, colours[trial]); line(trial); });
      pen.globalAlpha = 1;
      tell(inside.length);
    };

    const filters = () => axes.flatMap((axis) => {
      const brush = brushes.get(axis.column);
      if (!brush) return [];
      if (axis.kind === "category") return [`${axis.column} = ${JSON.stringify(axis.options.filter((_, k) => k >= brush[0] && k <= brush[1]))}`];
      const [low, high] = axis.kind === "log" ? brush.map((each) => 10 ** each) : brush;
      return [`${axis.column} >= ${low}`, `${axis.column} <= ${high}`];
    });
    const button = (text, work) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.addEventListener("click", work);
      return made;
    };
    const words = document.createElement("span");
    words.setAttribute("role", "status");
    const table = button("Show these in the table", () => show_only(filters()));
    const none = button("Clear", () => { brushes.clear(); again(); });
    foot.append(words, table, none);
    const tell = (chosen) => {
      foot.hidden = !brushes.size;
      words.textContent = brushes.size ? `${chosen} of ${count} trials chosen` : "";
    };

    const shown = axes.map((axis, k) => {
      const group = make("g", {}, svg);
      make("line", { class: "axis", x1: x(k), x2: x(k), y1: TOP, y2: HEIGHT - BOTTOM }, group);
      const anchor = k === 0 ? "start" : k === axes.length - 1 ? "end" : "middle", label = make("text", { x: k === 0 ? 4 : k === axes.length - 1 ? width - 4 : x(k), y: crowded && k % 2 ? 18 : 34, "text-anchor": anchor, "font-weight": 600 }, group, cut(axis.name, 22));
      make("title", {}, label, axis.name);
      const last = k === axes.length - 1;
      axis.marks.forEach((mark, each) => make("text", { class: "tick", x: x(k) + (last ? -6 : 6), y: y(axis, mark) + 3, "text-anchor": last ? "end" : "start" }, group, cut(axis.texts[each] ?? "", 14)));
      const brush = make("rect", { class: "brush", x: x(k) - 8, width: 16, visibility: "hidden" }, group);
      const handle = make("rect", { class: "handle", x: x(k) - 16, width: 32, y: TOP - 6, height: HEIGHT - TOP - BOTTOM + 12, tabindex: 0, role: "slider", "aria-label": `${axis.name}: choose trials`, "aria-orientation": "vertical", "aria-valuemin": axis.low, "aria-valuemax": axis.high }, group);
      const place = () => {
        const now = brushes.get(axis.column);
        brush.setAttribute("visibility", now ? "visible" : "hidden");
        const written = (each) => axis.kind === "log" ? (10 ** each).toPrecision(3) : axis.kind === "category" ? axis.options[Math.round(each)] : each.toPrecision(3);
        handle.setAttribute("aria-valuenow", now ? (now[0] + now[1]) / 2 : axis.low);
        handle.setAttribute("aria-valuetext", now ? `from ${written(now[0])} to ${written(now[1])}` : "all");
        if (!now) return;
        brush.setAttribute("y", y(axis, now[1]));
        brush.setAttribute("height", Math.max(1, y(axis, now[0]) - y(axis, now[1])));
      };
      const set = (one, other) => {
        const [low, high] = [Math.max(axis.low, Math.min(one, other)), Math.min(axis.high, Math.max(one, other))];
        brushes.set(axis.column, axis.kind === "category" ? [low - 0.2, high + 0.2] : [low, high]);
        again();
      };
      handle.addEventListener("pointerdown", (event) => {
        const at = (each) => value(axis, each.clientY - svg.getBoundingClientRect().top);
        const start = at(event), startY = event.clientY;
        let moved = false;
        held = true;
        handle.setPointerCapture(event.pointerId);
        const move = (each) => { if (moved || Math.abs(each.clientY - startY) > 3) { moved = true; set(start, at(each)); } };
        const end = () => {
          held = false;
          handle.removeEventListener("pointermove", move);
          if (!moved) { brushes.delete(axis.column); again(); }
        };
        handle.addEventListener("pointermove", move);
        handle.addEventListener("pointerup", end, { once: true });
        event.preventDefault();
        handle.focus({ preventScroll: true });
      });
      handle.addEventListener("keydown", (event) => {
        const step = (axis.high - axis.low) / 20, now = brushes.get(axis.column);
        const way = { ArrowUp: step, ArrowDown: -step }[event.key];
        if (event.key === "Escape") brushes.delete(axis.column);
        else if (event.key === "Enter" || event.key === " ") { if (now) brushes.delete(axis.column); else set(axis.low + 5 * step, axis.high - 5 * step); }
        else if (way && !now) set(way > 0 ? axis.high : axis.low, (way > 0 ? axis.high : axis.low) - 10 * way);
        else if (way) set(event.shiftKey ? now[0] : now[0] + way, now[1] + way);
        else return;
        event.preventDefault();
        again();
      });
      return place;
    });
    const again = () => { shown.forEach((place) => place()); lines(); };

    const scroll = box.querySelector(".parallel")?.scrollLeft ?? 0;
    const focused = [...box.querySelectorAll(".handle")].indexOf(document.activeElement);
    frame.append(canvas, svg); // the words over the lines
    box.replaceChildren(frame, foot);
    box.style.minHeight = "0";
    frame.scrollLeft = scroll;
    if (focused >= 0) box.querySelectorAll(".handle")[focused]?.focus({ preventScroll: true });
    again();
  };

  return { draw, clear: () => brushes.clear(), busy: (box) => held && box.dataset.figure === "parallel_coordinate" };
})();
