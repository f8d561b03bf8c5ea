// The board's outlet: asked about, switched, and, when somebody else holds the board, forced with a reason.

import { ask, consolePath, find } from "./common.js";

const VERBS = {
  on: { asked: "Switch on", yes: "On" },
  off: { asked: "Switch off", yes: "Off" },
  cycle: { asked: "Reset: off, and on again,", yes: "Reset" },
};
// Answers after which nothing was done. After any other, or none, something may have been.
const REFUSED = [400, 403, 404, 409, 429];
// What stands against it that force overrides.
const YIELDS = ["held", "leased", "typing", "budget"];

export class Power {
  // `said` gives who we are at the console: {user, session, mayForce}.
  constructor(name, said) {
    Object.assign(this, { path: `${consolePath}/outlet`, name, said });
    this.allowed = true;
    this.busy = false;
    for (const verb of Object.keys(VERBS)) find(verb).addEventListener("click", () => this.switch(verb));
    find("status").addEventListener("click", () => this.look());
    find("no").addEventListener("click", () => find("ask").close(""));
    find("reason").addEventListener("input", () => { find("yes").disabled = !find("why").hidden && !find("reason").value.trim(); });
  }

  // Whether we may switch it.
  allow(allowed) {
    this.allowed = allowed;
    this.enable();
  }

  enable() {
    for (const verb of Object.keys(VERBS)) find(verb).disabled = !this.allowed || this.busy;
  }

  // How the outlet is. A board without one has no buttons.
  async look() {
    try {
      this.show((await ask(this.path)).state);
    } catch (error) {
      if (error.status === 400 || error.status === 404) return;
      this.show("?", error.message);
    }
    find("power").hidden = false;
  }

  show(state, why = "") {
    const shown = find("outlet");
    shown.textContent = why ? `power ${state}: ${why}` : `power ${state}`;
    shown.className = `state ${state === "on" ? "good" : state === "off" ? "bad" : ""}`;
  }

  // One after the other: nobody answers for one what is asked about another.
  async switch(verb) {
    if (this.busy) return;
    this.busy = true;
    this.enable();
    try {
      if (await question({ text: `${VERBS[verb].asked} ${this.name}?`, yes: VERBS[verb].yes })) await this.operate(verb, {});
    } finally {
      this.busy = false;
      this.enable();
    }
  }

  async operate(verb, how) {
    const { user, session, mayForce } = this.said();
    this.show("is being switched");
    let wrong = null;
    try {
      return this.show((await ask(`${this.path}/${verb}`, "POST", { user, session, ...how })).state);
    } catch (error) {
      wrong = error;
    }
    await this.look();
    const refused = REFUSED.includes(wrong.status);
    const force = refused && mayForce && !how.force && YIELDS.includes(wrong.refusal);
    const answer = await question({
      text: refused ? `${this.name} was not switched` : `It is not known whether ${this.name} was switched`,
      told: [wrong.message, wrong.hint, refused ? "" : `Now: ${find("outlet").textContent}`].filter(Boolean).join(". "),
      why: force,
      yes: force ? "Force" : "Well",
      no: force,
    });
    if (answer && force) await this.operate(verb, { force: true, reason: find("reason").value.trim() });
  }
}

// The question before, if one is asked.
let asking = Promise.resolve();

// Asks in a dialog, when those asked before are answered; whether it was answered with yes.
function question(it) {
  asking = asking.then(() => put(it));
  return asking;
}

function put({ text, told = "", why = false, yes, no = true }) {
  const dialog = find("ask");
  find("question").textContent = text;
  find("told").textContent = told;
  find("why").hidden = !why;
  find("reason").value = "";
  find("yes").textContent = yes;
  find("yes").disabled = why;
  find("no").hidden = !no;
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}
