// Shows what doctor has found as soon as it is there. Without this script a link does it.

const EVERY_MS = 1000;

/** @returns {Promise<boolean>} whether the examination still runs */
async function underWay() {
  const answer = await fetch("/admin/system/state", { headers: { Accept: "application/json", "X-Blinkd-Background": "1" } });
  if (!answer.ok) return false; // logged out: the page itself says so
  /** @type {{ under_way: boolean }} */
  const state = await answer.json();
  return state.under_way;
}

async function look() {
  try {
    if (await underWay()) {
      setTimeout(look, EVERY_MS);
      return;
    }
  } catch {
    setTimeout(look, EVERY_MS); // the web process begins anew
    return;
  }
  location.reload();
}

if (document.querySelector("[data-under-way]")) setTimeout(look, EVERY_MS);
