// The WebSocket: opened again and again with growing waits, and what comes by it taken apart.

/** @import { Message, PictureInfo } from "./messages.js" */

const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 10000;

/**
 * @typedef {object} Ears
 * @property {(message: Message) => void} message
 * @property {(info: PictureInfo, jpeg: Blob) => void} picture
 * @property {(open: boolean, waitMs: number) => void} changed open or lost, and then for how long until the next try
 */

export class Link {
  /**
   * @param {string} address
   * @param {Ears} ears
   */
  constructor(address, ears) {
    this.address = address;
    this.ears = ears;
    this.waitMs = FIRST_WAIT_MS;
  }

  open() {
    const socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => this.#take(event.data));
    socket.addEventListener("open", () => this.ears.changed(true, 0));
    socket.addEventListener("close", () => this.#lost());
  }

  /** @param {unknown} data */
  #take(data) {
    this.waitMs = FIRST_WAIT_MS; // only now it is known to be good
    if (typeof data === "string") {
      this.ears.message(JSON.parse(data));
    } else if (data instanceof ArrayBuffer) {
      const length = new DataView(data).getUint16(0);
      const text = new TextDecoder().decode(new Uint8Array(data, 2, length));
      this.ears.picture(JSON.parse(text), new Blob([new Uint8Array(data, 2 + length)], { type: "image/jpeg" }));
    }
  }

  #lost() {
    const wait = this.waitMs * (0.75 + Math.random() / 2); // so that several displays do not come at once
    this.waitMs = Math.min(this.waitMs * 2, MOST_WAIT_MS);
    this.ears.changed(false, wait);
    setTimeout(() => this.open(), wait);
  }
}
