// Tones: each meaning has its own melody, so that who does not see the display hears how it went.

/** @typedef {"in" | "out" | "late" | "refused" | "again" | "ask" | "trouble"} Meaning */

/** @type {Record<Meaning, [number, number][]>} Hz and seconds; 0 Hz is a pause */
const MELODIES = {
  in: [[660, 0.12], [880, 0.22]], // rises
  out: [[880, 0.12], [660, 0.22]], // falls
  late: [[660, 0.12], [880, 0.14], [0, 0.06], [880, 0.14]], // rises, and once more
  refused: [[220, 0.2], [0, 0.08], [196, 0.32]], // low, twice
  again: [[440, 0.14], [0, 0.06], [440, 0.14]],
  ask: [[988, 0.08]],
  trouble: [[311, 0.4]],
};
const EDGE_S = 0.012; // without it tones click

export class Sound {
  constructor() {
    /** @type {AudioContext | null} */
    this.context = null;
    this.volume = 0;
    /** @type {Meaning[]} what was played, for whoever looks after it */
    this.played = [];
  }

  /** @param {Meaning} meaning */
  play(meaning) {
    if (this.volume <= 0) return;
    this.played.push(meaning);
    if (this.played.length > 50) this.played.shift();
    try {
      this.context ??= new AudioContext();
      void this.context.resume().catch(() => undefined);
      this.#sound(this.context, MELODIES[meaning]);
    } catch {
      // no sound device: colour, shape and words say the same
    }
  }

  /**
   * @param {AudioContext} context
   * @param {[number, number][]} melody
   */
  #sound(context, melody) {
    let at = context.currentTime + 0.01;
    for (const [hertz, seconds] of melody) {
      if (hertz > 0) {
        const tone = context.createOscillator();
        const gain = context.createGain();
        tone.type = "triangle";
        tone.frequency.value = hertz;
        gain.gain.setValueAtTime(0, at);
        gain.gain.linearRampToValueAtTime(this.volume, at + EDGE_S);
        gain.gain.setValueAtTime(this.volume, at + seconds - EDGE_S);
        gain.gain.linearRampToValueAtTime(0, at + seconds);
        tone.connect(gain).connect(context.destination);
        tone.start(at);
        tone.stop(at + seconds);
      }
      at += seconds;
    }
  }
}
