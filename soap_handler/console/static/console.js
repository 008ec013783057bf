// The console's pages work without this. With it the overview refreshes in place, and a search goes on by itself.
"use strict";

async function fragment(address) {
  const answer = await fetch(address, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
  if (answer.redirected || answer.status === 401) location.reload(); // the session is over
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.text();
}

// -- the overview: each part that changed is replaced; place, focus and a selection of text stay ----------------------

const live = document.getElementById("live");
const REACHABLE = "a, button, summary, input, [tabindex]";

function replacePart(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const reachable = [...old.querySelectorAll(REACHABLE)];
  const place = reachable.indexOf(focused);
  const open = [...old.querySelectorAll("details")].map((each) => each.open);
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("details").forEach((each, number) => { each.open = open[number] ?? each.open; });
  if (focused) {
    const now = [...old.querySelectorAll(REACHABLE)];
    const same = now.find((each) => each.href && each.href === focused.href) ?? now[place];
    same?.focus({ preventScroll: true });
  }
}

function isSelecting(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && selection.containsNode(part, true);
}

async function refresh() {
  const text = await fragment(location.href);
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = live.querySelector(`[data-live="${part.dataset.live}"]`);
    if (old && !isSelecting(old) && old.innerHTML !== part.innerHTML) replacePart(old, part);
  }
}

if (live) {
  const pause = document.getElementById("pause");
  let underWay = false;
  const choice = document.querySelector(`a[href$="refresh=${live.dataset.refresh}"]`);
  choice?.setAttribute("aria-current", "true");
  for (const each of [pause, document.getElementById("refreshes")]) if (each) each.hidden = false;
  pause.addEventListener("click", () => {
    const pressed = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(pressed));
    pause.textContent = pressed ? "Go on" : "Pause";
  });
  setInterval(async () => {
    if (document.hidden || underWay || pause.getAttribute("aria-pressed") === "true") return;
    underWay = true;
    try {
      await refresh();
      live.classList.remove("stale");
    } catch {
      live.classList.add("stale");
    }
    underWay = false;
  }, Number(live.dataset.refresh) * 1000);
}

// -- a search: it looks further back until the page is full ------------------------------------------------------------

const rows = document.getElementById("rows");
const ENOUGH = 50;

async function lookFurther() {
  for (;;) {
    const link = rows.querySelector("a[data-further]");
    if (!link || rows.querySelectorAll("tr:not(.more)").length >= ENOUGH) return;
    const text = await fragment(link.href);
    const fresh = new DOMParser().parseFromString(`<table><tbody>${text}</tbody></table>`, "text/html");
    if (!link.isConnected) return;
    const hadFocus = document.activeElement === link;
    link.closest("tr").replaceWith(...fresh.querySelectorAll("tr"));
    if (hadFocus) rows.querySelector("a[rel=next]")?.focus({ preventScroll: true });
  }
}

if (rows) {
  lookFurther().catch(() => {});
  const head = document.querySelector(".messages thead th");
  if (document.getElementById("selected") && head) {
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Select all on this page");
    all.addEventListener("change", () => {
      rows.querySelectorAll("input[name=seq]").forEach((each) => { each.checked = all.checked; });
    });
    head.replaceChildren(all);
  }
}
