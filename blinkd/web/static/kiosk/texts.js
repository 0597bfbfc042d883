// The texts of the language, and times and durations as it writes them.

export class Texts {
  /**
   * @param {string} language
   * @param {Record<string, string>} texts
   */
  constructor(language, texts) {
    this.language = language;
    this.texts = texts;
    this.timezone = "UTC";
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values] what stands for {…} in it
   */
  of(key, values = {}) {
    const text = this.texts[key] ?? "";
    return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  }

  /** @param {string} key */
  has(key) {
    return key in this.texts;
  }

  /** @param {Date} moment */
  time(moment) {
    return this.#format(moment, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }

  /** @param {Date} moment */
  date(moment) {
    return this.#format(moment, { weekday: "long", day: "numeric", month: "long" });
  }

  /** @param {number} minutes */
  duration(minutes) {
    const whole = Math.max(0, Math.round(minutes));
    const values = { hours: this.number(Math.floor(whole / 60)), minutes: this.number(whole % 60) };
    return this.of(whole < 60 ? "minutes" : "hours_minutes", values);
  }

  /** @param {number} value */
  number(value) {
    return new Intl.NumberFormat(this.language).format(value);
  }

  /**
   * @param {Date} moment
   * @param {Intl.DateTimeFormatOptions} options
   */
  #format(moment, options) {
    try {
      return new Intl.DateTimeFormat(this.language, { ...options, timeZone: this.timezone }).format(moment);
    } catch {
      // a time zone that this browser does not know
      return new Intl.DateTimeFormat(this.language, { ...options, timeZone: "UTC" }).format(moment);
    }
  }
}
