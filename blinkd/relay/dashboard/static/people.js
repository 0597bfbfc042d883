// People of the registry: opened by the organisation's keys; a name is never outside of an envelope.

import { unb64 } from "./bytes.js";
import { deletionSigned, subjectOf } from "./chain.js";
import { personRecord } from "./keys.js";
import { Rejected } from "./sealing.js";

/** @typedef {{record: string, version: number, id: string, name: string, subject: number, status: string, groups: string[]}} Person */
/** gone: deleted; closed: no key opens them; faults: not what the relay says they are. @typedef {{people: Person[], gone: string[], unsigned: number, closed: number, faults: number}} Known */

/**
 * @param {import("./sealing.js").Opener} opener @param {any[]} records
 * @param {(terminal: string, signature: string, message: import("./bytes.js").Bytes) => Promise<boolean | null>} signed
 * @returns {Promise<Known>}
 */
export async function openPeople(opener, records, signed) {
  /** @type {Known} */
  const found = { people: [], gone: [], unsigned: 0, closed: 0, faults: 0 };
  await Promise.all(
    records.map(async (one) => {
      if (one.envelope === null) {
        found.gone.push(one.id);
        if ((await signed(one.terminal, one.signature, deletionSigned(opener.keys.organisation, one))) === false) found.unsigned += 1;
        return;
      }
      try {
        const said = JSON.parse(await opener.open(one.envelope, "person", one.id));
        if (one.id !== (await personRecord(opener.keys, said.id))) throw new Rejected("bad_content");
        if (said.salt !== null && (await subjectOf(unb64(said.salt), said.id)) !== said.subject) throw new Rejected("bad_content");
        const { id, name, subject, status, groups } = said;
        found.people.push({ record: one.id, version: one.version, id, name, subject, status, groups });
      } catch (error) {
        if (error instanceof Rejected && error.reason === "unknown_key") found.closed += 1;
        else found.faults += 1;
      }
    }),
  );
  return found;
}
