// The live picture: one is asked for, shown, and then the next. Without this script the page shows one.

const AGAIN_MS = 2000; // after a failure

/**
 * @param {HTMLImageElement} image
 * @param {string} address
 * @param {Element | null} words
 */
async function follow(image, address, words) {
  let shown = "";
  for (;;) {
    if (document.hidden) {
      await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
      continue;
    }
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json", "X-Blinkd-Background": "1" } });
      if (answer.status === 401) {
        location.reload(); // logged out: the log-in comes, and this page again after it
        return;
      }
      if (!answer.ok) throw new Error("no picture");
      const next = URL.createObjectURL(await answer.blob());
      image.src = next;
      await image.decode();
      if (shown) URL.revokeObjectURL(shown);
      shown = next;
      if (words && words.textContent) words.textContent = "";
    } catch {
      if (words) words.textContent = "No picture comes; trying again.";
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

const image = document.querySelector("img[data-live]");
if (image instanceof HTMLImageElement && image.dataset["live"]) {
  void follow(image, image.dataset["live"], document.querySelector("[data-live-words]"));
}
