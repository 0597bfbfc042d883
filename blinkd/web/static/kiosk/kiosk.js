// The page on the terminal's display: listens, shows, sounds. What it hears it cannot answer, but for "Not me".

/** @import { Message, PictureInfo, SessionEvent } from "./messages.js" */
/** @import { View } from "./state.js" */
/** @import { Meaning } from "./sound.js" */

import { Display, MILD, element } from "./display.js";
import { Link } from "./link.js";
import { Mirror } from "./mirror.js";
import { NotMe } from "./not_me.js";
import { Sound } from "./sound.js";
import { State } from "./state.js";
import { Texts } from "./texts.js";

const TICK_MS = 250;

const root = element("kiosk", HTMLElement);
const texts = new Texts(root.dataset["language"] ?? "en", JSON.parse(root.dataset["texts"] ?? "{}"));
const state = new State();
const display = new Display(root, texts);
const mirror = new Mirror(element("mirror", HTMLCanvasElement));
const sound = new Sound();
const notMe = new NotMe(texts, display, (seq) => {
  state.disowned(seq);
  render();
});

/**
 * @param {View} view
 * @returns {Meaning | null}
 */
function meaning(view) {
  if (view.kind === "greeting") {
    if (view.punch.punctuality === "LATE") return "late";
    return view.punch.status === "CHECK_OUT" ? "out" : "in";
  }
  if (view.kind === "refusal") return MILD.has(view.reason) ? "again" : "refused";
  if (view.kind === "guide") return view.number > 0 ? "ask" : null;
  return view.kind === "trouble" ? "trouble" : null;
}

/** @param {SessionEvent} punch whose greeting is being painted: how long it took since the decision is left for who measures */
function measure(punch) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // its message comes after the frame has been painted
    channel.port1.onmessage = () => {
      performance.mark("greeting", { detail: { seq: punch.seq, ms: Date.now() - Date.parse(punch.utc) } });
      channel.port1.close();
    };
    channel.port2.postMessage(null);
  });
}

function render() {
  const now = performance.now();
  const view = state.view(now);
  if (display.show(view, state.entry)) {
    const tone = meaning(view);
    if (tone) sound.play(tone);
    if (view.kind === "greeting" && view.punch.age_s === undefined) measure(view.punch);
  }
  display.mark(state.marks());
  display.tick(new Date(Date.now() + state.clockOffset));
  const punch = state.disownable(now);
  display.foot(punch, view.kind !== "greeting");
  if (punch === null && notMe.punch !== null && !notMe.yes.disabled) notMe.close();
}

/** @param {Message} message */
function take(message) {
  state.take(message, performance.now());
  if (message.kind === "hello") {
    texts.timezone = message.timezone;
    sound.volume = message.sound ? message.volume : 0;
  }
  render();
}

/**
 * @param {PictureInfo} info
 * @param {Blob} jpeg
 */
function see(info, jpeg) {
  state.see(info, performance.now());
  void mirror.draw(info, jpeg); // also while it is not shown: it is there at once then
}

element("not-me", HTMLButtonElement).addEventListener("click", () => {
  const punch = state.disownable(performance.now());
  if (punch) notMe.ask(punch);
});
new ResizeObserver(() => display.fit()).observe(display.stage); // also when the foot comes and goes
new ResizeObserver(() => mirror.again()).observe(mirror.canvas);
document.addEventListener("contextmenu", (event) => event.preventDefault());

const scheme = location.protocol === "https:" ? "wss" : "ws";
new Link(`${scheme}://${location.host}/kiosk/live`, {
  message: take,
  picture: see,
  changed: (open) => {
    state.link(open);
    render();
  },
}).open();
setInterval(render, TICK_MS);
render();
