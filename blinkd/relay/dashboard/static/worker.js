// The worker that opens: keys come in and never go out, sealed pages come in, opened ones go out.

import { Opener } from "./sealing.js";
import { openPeople } from "./people.js";
import { Walk } from "./walk.js";

/** @type {Opener | null} */ let opener = null;
/** @type {Map<string, Walk>} */ const walks = new Map();
const decoder = new TextDecoder();

/** @type {Record<string, (said: any) => Promise<unknown>>} */
const work = {
  async keys({ keys }) {
    opener = new Opener(keys);
  },
  async begin({ walk, terminal, book, head, first }) {
    const made = new Walk(/** @type {Opener} */ (opener), terminal, book, head);
    walks.set(walk, made);
    return await made.begin(first);
  },
  async entries({ walk, buffer }) {
    const page = JSON.parse(decoder.decode(buffer));
    const made = /** @type {Walk} */ (walks.get(walk));
    const taken = await made.take(page.entries, page.next_cursor === null);
    return { ...taken, cursor: page.next_cursor, next: made.next };
  },
  async people({ buffer }) {
    const page = JSON.parse(decoder.decode(buffer));
    return { ...(await openPeople(/** @type {Opener} */ (opener), page.people, signed)), cursor: page.next_cursor };
  },
};

/** Whether any book of a terminal is signed by who signed this; null where nobody can tell. @param {string} terminal @param {string} signature @param {import("./bytes.js").Bytes} message */
async function signed(terminal, signature, message) {
  const verifiers = [...walks.values()].filter((one) => one.terminal === terminal && one.verify).map((one) => one.verify);
  if (verifiers.length === 0) return null;
  for (const verify of verifiers) if (verify && (await verify(signature, message))) return true;
  return false;
}

addEventListener("message", async ({ data }) => {
  const { id, kind, ...said } = data;
  try {
    postMessage({ id, result: await work[kind]?.(said) });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
