// What can be made to go wrong for the next message of the business: above all every no that the provider documents.

import { h } from "../shared/dom.js";
import { choice, openSheet } from "../shared/sheet.js";
import { get, post } from "../shared/wire.js";
import { t } from "../shared/words.js";

/** A sheet of this channel's faults, those in force marked; pressed again, one is gone. */
export async function openFaults(channel, name) {
  const [faults, documented] = await Promise.all([get("control"), get("control/failures")]);
  const asked = faults.refuse[channel];
  const set = (what) => post("control", what);
  openSheet(t("faults"), (close) => {
    const one = (words, detail, on, what) => choice(close, { picture: "alert", words, detail, pressed: on, act: () => set(what) });
    const refusals = Object.entries(documented[channel] ?? {}).map(([no, code]) => {
      const on = asked?.name === no && asked.count > 0;
      return one(t(`code_${code}`), no.replaceAll("_", " "), on, { refuse: { [channel]: { name: no, count: on ? 0 : 1 } } });
    });
    return [
      h("h3", {}, t("faults_any")),
      one(t("fault_drop"), null, faults.drop > 0, { drop: faults.drop > 0 ? 0 : 1 }),
      one(t("fault_twice"), null, faults.twice, { twice: !faults.twice }),
      one(t("fault_silent"), null, faults.silent, { silent: !faults.silent }),
      ...(refusals.length ? [h("h3", {}, t("faults_of", { name })), ...refusals] : []),
    ];
  });
}
