"use strict";
// Before anything is painted: the theme that the reader chose.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("luthier-theme"); } catch { /* no storage here */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
