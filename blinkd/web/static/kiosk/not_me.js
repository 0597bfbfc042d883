// "Not me": asked once more, then told to the terminal, which keeps the punch and marks it.

/** @import { SessionEvent } from "./messages.js" */
/** @import { Display } from "./display.js" */
/** @import { Texts } from "./texts.js" */

import { element } from "./display.js";

const READ_MS = 4000; // an answer stays for so long
const PATIENCE_MS = 8000; // for the terminal's answer

export class NotMe {
  /**
   * @param {Texts} texts
   * @param {Display} display
   * @param {(seq: number) => void} done called with the punch that was disowned
   */
  constructor(texts, display, done) {
    this.texts = texts;
    this.display = display;
    this.done = done;
    this.dialog = element("really", HTMLDialogElement);
    this.yes = element("really-yes", HTMLButtonElement);
    this.no = element("really-no", HTMLButtonElement);
    /** @type {SessionEvent | null} */
    this.punch = null;
    this.closing = 0;
    this.no.addEventListener("click", () => this.close());
    this.yes.addEventListener("click", () => void this.#send());
  }

  /** @param {SessionEvent} punch */
  ask(punch) {
    this.punch = punch;
    clearTimeout(this.closing);
    element("really-words", HTMLElement).textContent = this.texts.of("not_me_question", { who: this.display.who(punch) });
    element("really-answer", HTMLElement).textContent = "";
    this.yes.disabled = false;
    if (!this.dialog.open) this.dialog.showModal();
    this.no.focus();
  }

  close() {
    this.punch = null;
    clearTimeout(this.closing);
    if (this.dialog.open) this.dialog.close();
  }

  async #send() {
    const seq = this.punch?.seq;
    if (seq === undefined) return;
    this.yes.disabled = true;
    let key = "not_me_failed";
    try {
      const answer = await fetch("/kiosk/not-me", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ seq }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const said = answer.ok ? await answer.json() : {};
      if (said.done) {
        key = "not_me_done";
        this.done(seq);
      } else if (said.reason === "too_late") key = "not_me_too_late";
    } catch {
      // the terminal does not answer: said below
    }
    element("really-answer", HTMLElement).textContent = this.texts.of(key);
    this.yes.disabled = key !== "not_me_failed";
    this.closing = setTimeout(() => this.close(), READ_MS);
  }
}
