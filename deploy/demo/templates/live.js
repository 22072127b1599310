// Keeps what WordPress says of each reader fresh, while somebody looks.
"use strict";
const parts = document.querySelectorAll("[data-live]");

async function refresh(part) {
  const answer = await fetch(part.dataset.live, { cache: "no-store" });
  if (!answer.ok) return;
  const html = await answer.text();
  // What has not changed is not announced again by a screen reader.
  if (html !== part.dataset.shown) {
    part.dataset.shown = html;
    part.innerHTML = html;
  }
}

async function keepFresh(part) {
  for (;;) {
    if (document.visibilityState === "visible") await refresh(part).catch(() => {});
    await new Promise((later) => setTimeout(later, 2000));
  }
}
parts.forEach(keepFresh);
