// Keeps the page of a registration up to date: picture, hint, progress; and saves what is typed, so that a session that ends loses nothing.

/** @typedef {{ view: string, kept: number, state: string }} Step */
/** @typedef {{ camera: string, hint: string, good: boolean, steps: Step[], anew: number, pictures: number, enough: boolean, shown: number }} Progress */

const POLL_MS = 250;
const SLOW_MS = 2000;
const SAVE_MS = 400;
const BACKGROUND = { Accept: "application/json", "X-Blinkd-Background": "1" };

const studio = /** @type {HTMLElement} */ (document.getElementById("studio"));
const person = /** @type {HTMLFormElement} */ (document.getElementById("person"));
const canvas = /** @type {HTMLCanvasElement | null} */ (document.getElementById("live"));

let shown = 0;
let ended = false;
/** @type {number | undefined} */
let saving;

/** @param {string} id @param {string} text */
function say(id, text) {
  const place = document.getElementById(id);
  if (place && place.textContent !== text) place.textContent = text;
}

/** @param {string} id */
function stop(id) {
  ended = true;
  if (saving !== undefined) {
    clearTimeout(saving);
    saving = undefined;
    void save(); // kept by the terminal, and shown again after log-in
  }
  const notice = document.getElementById(id);
  if (notice) {
    notice.hidden = false;
    notice.scrollIntoView();
  }
  for (const field of person.querySelectorAll("input, textarea, button")) {
    if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLButtonElement) field.disabled = true;
  }
}

async function draw() {
  if (!canvas) return;
  const answer = await fetch("/admin/register/picture", { headers: BACKGROUND });
  if (!answer.ok) return;
  const mirrored = answer.headers.get("X-Mirrored") === "yes";
  const picture = await createImageBitmap(await answer.blob());
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  const pen = canvas.getContext("2d");
  if (pen) {
    // people find their way by a mirror
    pen.setTransform(mirrored ? 1 : -1, 0, 0, 1, mirrored ? 0 : picture.width, 0);
    pen.drawImage(picture, 0, 0);
  }
  picture.close();
}

/** @param {Progress} progress */
function show(progress) {
  say("hint", progress.hint);
  say("pictures", String(progress.pictures));
  document.getElementById("view")?.classList.toggle("good", progress.good);
  for (const step of progress.steps) {
    const row = document.getElementById(`step-${step.view}`);
    if (!row) continue;
    const bar = row.querySelector("progress");
    const state = row.querySelector(".state");
    const leave = row.querySelector(".leave");
    if (bar) bar.value = step.kept;
    if (state && state.textContent !== step.state) state.textContent = step.state;
    if (leave instanceof HTMLElement) leave.hidden = step.state === "done" || step.state === "left out";
  }
  const mark = document.querySelector("#ready .mark");
  if (mark && progress.enough !== mark.classList.contains("ok")) {
    mark.className = progress.enough ? "mark ok" : "mark warn";
    mark.textContent = progress.enough ? "● Enough was seen" : "▲ A view from the front is still needed";
  }
}

async function look() {
  let wait = studio.dataset["camera"] === "yes" ? POLL_MS : SLOW_MS;
  try {
    const answer = await fetch("/admin/register/progress", { headers: BACKGROUND });
    if (answer.status === 401) return stop("expired");
    if (answer.status === 410) return stop("over");
    if (answer.ok) {
      const progress = /** @type {Progress} */ (await answer.json());
      show(progress);
      if (progress.shown !== shown) {
        shown = progress.shown;
        await draw();
      }
    } else {
      wait = SLOW_MS;
    }
  } catch {
    say("hint", "The terminal does not answer. What was seen is kept there.");
    wait = SLOW_MS;
  }
  if (!ended) setTimeout(look, wait);
}

async function save() {
  saving = undefined;
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(person)) {
    if (typeof value === "string") fields.append(name, value);
  }
  try {
    const answer = await fetch("/admin/register/draft", {
      method: "POST",
      body: fields,
      redirect: "manual",
      headers: { Accept: "application/json" },
    });
    if (answer.status === 401 && !ended) stop("expired");
  } catch {
    // said by `look`
  }
}

person.addEventListener("input", () => {
  clearTimeout(saving);
  saving = setTimeout(save, SAVE_MS);
});
void look();
