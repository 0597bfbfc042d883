// What comes by the WebSocket, as types.

/** @typedef {[string, "starting" | "ok" | "degraded" | "failed" | "off", string]} PartHealth name, state, words for the log */

/**
 * @typedef {object} Health
 * @property {"health"} kind
 * @property {PartHealth[]} parts
 * @property {number} pending entries that wait for the relay
 * @property {string} utc
 * @property {string} clock "synced" where the time is known to be right
 */

/**
 * @typedef {object} SessionEvent
 * @property {"event"} kind
 * @property {number} n running number of all messages
 * @property {string} event session_started, identified, challenge, punch, refused …
 * @property {number} session 0 for PIN and badge
 * @property {string} utc
 * @property {number} [age_s] seconds since, where it comes late
 * @property {string} [name]
 * @property {string} [status] CHECK_IN or CHECK_OUT
 * @property {string} [punctuality]
 * @property {number} [minutes]
 * @property {number} [seq] of the punch
 * @property {string} [reason]
 * @property {string} [step]
 * @property {number} [number]
 * @property {number} [of]
 * @property {number} [seconds]
 * @property {boolean} [live]
 * @property {string} [outcome]
 * @property {boolean} [on] whether somebody is being registered
 */

/**
 * @typedef {object} Hello
 * @property {"hello"} kind
 * @property {string} terminal
 * @property {string} timezone
 * @property {string} utc
 * @property {number} disown_s
 * @property {number} greeting_s
 * @property {boolean} sound
 * @property {number} volume
 * @property {boolean} entry whether there are PINs and badges
 * @property {Health | null} health
 * @property {SessionEvent[]} recent
 */

/** @typedef {Health | SessionEvent | Hello} Message */

/**
 * @typedef {object} PictureInfo
 * @property {[number, number, number, number] | null} box x, y, width, height of the face, as shares of the picture
 * @property {string} state
 * @property {string} hint
 * @property {boolean} mirrored whether the picture is already as a mirror shows it
 */

export {};
