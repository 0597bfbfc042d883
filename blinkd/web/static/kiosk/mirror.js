// The live view, as a mirror shows it, with brackets round the face that is tracked.

/** @import { PictureInfo } from "./messages.js" */

const ROOM = 1.3; // of the face's height that is to be seen of the picture, at least
const EASE = 0.2; // share of the way to the wanted cut that each picture goes
const ARM = 0.24; // length of a bracket's arm, as a share of the box's shorter side
/** @type {Record<string, {colour: string, width: number, dash: number[]}>} each state differs by its line, too */
const LINES = {
  tracking: { colour: "#ffffff", width: 1, dash: [] },
  challenged: { colour: "#ffd166", width: 1.4, dash: [3, 1.5] },
  accepted: { colour: "#7ef0ae", width: 2, dash: [] },
  refused: { colour: "#ff9da1", width: 1.4, dash: [1, 1] },
};

export class Mirror {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.busy = false;
    /** @type {{picture: ImageBitmap, info: PictureInfo} | null} */
    this.last = null;
    /** @type {{scale: number, middle: number} | null} how much of the picture is shown */
    this.cut = null;
  }

  /**
   * Draw a picture, unless the one before is not drawn yet.
   * @param {PictureInfo} info
   * @param {Blob} jpeg
   */
  async draw(info, jpeg) {
    if (this.busy || !this.context) return;
    this.busy = true;
    try {
      const picture = await createImageBitmap(jpeg);
      this.last?.picture.close();
      this.last = { picture, info };
      this.#paint(this.context, picture, info);
    } catch {
      // a picture that cannot be read: the next one comes soon
    } finally {
      this.busy = false;
    }
  }

  /** The place has another size: draw the last picture into it. */
  again() {
    if (this.last && this.context) this.#paint(this.context, this.last.picture, this.last.info);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {ImageBitmap} picture
   * @param {PictureInfo} info
   */
  #paint(context, picture, info) {
    const canvas = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (width === 0 || height === 0) return;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.cut = null;
    }
    const { scale, middle } = this.#follow(picture, info, width, height);
    const shown = { w: picture.width * scale, h: picture.height * scale };
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#0a0c10";
    context.fillRect(0, 0, width, height);
    if (!info.mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
    const left = (width - shown.w) / 2;
    const top = shown.h < height ? (height - shown.h) / 2 : Math.min(0, Math.max(height - shown.h, height / 2 - middle * shown.h));
    context.drawImage(picture, left, top, shown.w, shown.h);
    if (info.box) {
      const [x, y, w, h] = info.box;
      brackets(context, left + x * shown.w, top + y * shown.h, w * shown.w, h * shown.h, info.state, Math.min(width, height) / 120);
    }
  }

  /**
   * The picture fills its place, but for a face that would be cut; it is followed gently up and down.
   * @param {ImageBitmap} picture
   * @param {PictureInfo} info
   * @param {number} width
   * @param {number} height
   */
  #follow(picture, info, width, height) {
    const fill = Math.max(width / picture.width, height / picture.height);
    const whole = Math.min(width / picture.width, height / picture.height);
    const box = info.box;
    const wanted = {
      scale: box ? Math.max(whole, Math.min(fill, height / (ROOM * Math.max(box[3], 0.05) * picture.height))) : fill,
      middle: box ? box[1] + box[3] / 2 : 0.45, // heads are in the upper part
    };
    const cut = this.cut ?? wanted;
    this.cut = {
      scale: cut.scale + EASE * (wanted.scale - cut.scale),
      middle: cut.middle + EASE * (wanted.middle - cut.middle),
    };
    return this.cut;
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} w
 * @param {number} h
 * @param {string} state
 * @param {number} unit
 */
function brackets(context, x, y, w, h, state, unit) {
  const line = LINES[state] ?? { colour: "#ffffff", width: 1, dash: [] };
  const arm = ARM * Math.min(w, h);
  const draw = () => {
    for (const [cx, dx] of /** @type {[number, number][]} */ ([[x, 1], [x + w, -1]])) {
      for (const [cy, dy] of /** @type {[number, number][]} */ ([[y, 1], [y + h, -1]])) {
        context.beginPath();
        context.moveTo(cx + dx * arm, cy);
        context.lineTo(cx, cy);
        context.lineTo(cx, cy + dy * arm);
        context.stroke();
      }
    }
  };
  context.lineCap = "round";
  context.lineJoin = "round";
  context.setLineDash([]);
  context.strokeStyle = "rgb(0 0 0 / 70%)"; // so that it is seen on a bright wall, too
  context.lineWidth = (line.width + 1.2) * unit;
  draw();
  context.setLineDash(line.dash.map((part) => part * unit * 2));
  context.strokeStyle = line.colour;
  context.lineWidth = line.width * unit;
  draw();
  context.setLineDash([]);
}
