// Waits for a decision at the door and shows it. Without this script a link does it.

const EVERY_MS = 700;

/** @param {string} since */
async function decided(since) {
  const answer = await fetch(`/admin/setup/test/state?since=${encodeURIComponent(since)}`, {
    headers: { Accept: "application/json", "X-Blinkd-Background": "1" },
  });
  if (answer.status === 401) return true; // logged out: the page itself says so
  if (!answer.ok) return false;
  /** @type {{ decided: boolean }} */
  const state = await answer.json();
  return state.decided;
}

/** @param {string} since */
async function wait(since) {
  try {
    if (await decided(since)) {
      location.assign(`/admin/setup/test?since=${encodeURIComponent(since)}`);
      return;
    }
  } catch {
    // the web process begins anew
  }
  setTimeout(() => void wait(since), EVERY_MS);
}

const waiting = document.querySelector("[data-wait-since]");
if (waiting instanceof HTMLElement) void wait(waiting.dataset["waitSince"] ?? "0");
