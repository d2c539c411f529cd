"use strict";
// What all pages share: theme, times, parts that are fetched anew, buttons, and the stream of changes.
const luthier = (() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);

  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const themed = [];
  const retheme = () => themed.forEach((hear) => hear());

  const spellTimes = (within = document) => {
    const now = Date.now();
    for (const time of within.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime), ago = Math.round((now - at) / 1000);
      time.title = at.toLocaleString();
      const steps = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [14 * 86400, 86400, "d"]];
      const step = steps.find(([limit]) => ago < limit);
      time.textContent = ago < -5 || !step ? at.toLocaleDateString(undefined, { dateStyle: "medium" })
        : `${Math.max(0, Math.floor(ago / step[1]))} ${step[2]} ago`;
    }
  };

  let fading = 0;
  const toast = (text) => {
    const box = byId("toast");
    box.textContent = text;
    box.hidden = false;
    clearTimeout(fading);
    fading = setTimeout(() => { box.hidden = true; }, 6000);
  };

  // Parts of the page: fetched from the page's own address and put in place; focus and choices stay.
  const fresh = new Map(), shown = new Map();
  const part = async (name, asked = false) => {
    const box = document.querySelector(`[data-part="${name}"]`);
    if (!box) return;
    const url = new URL(location.href);
    url.searchParams.set("part", name);
    url.hash = "";
    const turn = (fresh.get(name) ?? 0) + 1;
    fresh.set(name, turn);
    box.classList.add("busy");
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/login") return location.reload();
      const text = await answer.text();
      if (!answer.ok) throw new Error(answer.status === 404 ? "it is not there any more" : `the server answered ${answer.status}`);
      const picked = getSelection();
      if (!picked.isCollapsed && !asked && box.contains(picked.anchorNode)) return; // somebody is about to copy it
      if (fresh.get(name) === turn && shown.get(box) !== text) { swap(box, text); shown.set(box, text); }
    } catch (error) {
      toast(`Not up to date: ${error.message}`);
    } finally {
      box.classList.remove("busy");
    }
  };
  const swap = (box, text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const active = box.contains(document.activeElement) ? document.activeElement : null;
    const typed = active?.matches('input[type="text"]') ? [active.value, active.selectionStart] : null;
    const open = [...box.querySelectorAll("details[open]")].map((each) => each.id);
    const scroll = [...box.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    const ticked = new Map([...box.querySelectorAll("details input:not(:disabled)")].map((each) => [each.value, each.checked]));
    box.replaceChildren(...document.adoptNode(page.body).childNodes);
    open.forEach((id) => {
      const each = id && byId(id);
      if (!each) return;
      each.open = true;
      each.querySelectorAll("input").forEach((input) => { if (ticked.has(input.value)) input.checked = ticked.get(input.value); });
    });
    box.querySelectorAll(".scroll").forEach((each, k) => { each.scrollLeft = scroll[k] ?? 0; });
    const again = active?.id ? byId(active.id) : active?.getAttribute("href")
      ? box.querySelector(`a[href="${CSS.escape(active.getAttribute("href"))}"]`) : active?.value && active.type === "checkbox"
        ? [...box.querySelectorAll('input[type="checkbox"]')].find((each) => each.value === active.value) : null;
    if (again) {
      again.focus({ preventScroll: true });
      if (typed) { again.value = typed[0]; again.setSelectionRange(typed[1], typed[1]); }
    }
    spellTimes(box);
    box.dispatchEvent(new CustomEvent("swapped", { bubbles: true }));
  };

  const sure = (text) => new Promise((answered) => {
    const box = byId("sure");
    byId("sure-text").textContent = text;
    box.returnValue = "no";
    box.addEventListener("close", () => answered(box.returnValue === "yes"), { once: true });
    box.showModal();
  });

  const act = async (button) => {
    const actions = button.closest("[data-actions]");
    if (button.dataset.sure && !await sure(button.dataset.sure)) return;
    button.disabled = true;
    try {
      const body = button.dataset.state ? JSON.stringify({ state: button.dataset.state }) : undefined;
      const headers = { "X-Luthier-CSRF": "1", ...(body ? { "Content-Type": "application/json" } : {}) };
      const answer = await fetch(actions.dataset.actions + (button.dataset.to ?? ""), { method: button.dataset.method, headers, body });
      if (!answer.ok) {
        const said = await answer.json().catch(() => ({}));
        throw new Error(typeof said.detail === "string" ? said.detail : `the server answered ${answer.status}`);
      }
      toast(`${button.textContent.trim()}: done`);
      if (button.dataset.method === "DELETE" && actions.dataset.after) location.assign(actions.dataset.after);
      else await part("head");
    } catch (error) {
      toast(`${button.textContent.trim()}: ${error.message}`);
      button.disabled = false;
    }
  };

  // The stream: hear(told) is called with what has changed; the page shows whether it is connected.
  const listen = (hear) => {
    const address = document.body.dataset.stream, sign = byId("live");
    if (!address || !window.EventSource) return;
    const show = (state, text) => {
      if (!sign || sign.dataset.state === state) return;
      sign.dataset.state = state;
      sign.firstElementChild.textContent = text;
      sign.title = text;
    };
    const source = new EventSource(address);
    const told = (event) => { show("live", "live"); hear(JSON.parse(event.data), event.type); };
    source.addEventListener("now", told);
    source.addEventListener("change", told);
    source.addEventListener("gone", () => { source.close(); show("lost", "deleted"); toast("This was deleted."); });
    source.addEventListener("error", () => show("lost", source.readyState === 2 ? "not connected" : "reconnecting"));
    addEventListener("pagehide", () => source.close());
  };

  // Calls work at once, and then no more often than every so many seconds; what comes between is done at the end.
  const paced = (seconds, work) => {
    let waiting = false, again = false, last = 0;
    const run = async () => {
      waiting = true;
      again = false;
      last = performance.now();
      try { await work(); } finally { setTimeout(() => { waiting = false; if (again) run(); }, Math.max(seconds * 1000, performance.now() - last)); }
    };
    return () => { if (waiting) again = true; else run(); };
  };

  document.addEventListener("DOMContentLoaded", () => {
    spellTimes();
    setInterval(() => spellTimes(), 10000);
    byId("theme").addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("luthier-theme", root.dataset.theme); } catch { /* no storage here */ }
      retheme();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", retheme);
    const list = document.body.dataset.list;
    if (list) {
      const renew = paced(2, () => part(list));
      listen((told, kind) => { if (kind === "change") renew(); });
    }
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-actions] button[data-method]");
      if (button) act(button);
      for (const each of document.querySelectorAll("details.columns[open]")) if (!each.contains(event.target)) each.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      const open = document.querySelector("details.columns[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
    });
  });

  return { dark, part, toast, listen, paced, spellTimes, onTheme: (hear) => themed.push(hear) };
})();
