// The board's outlet: asked about, switched, and, when somebody else holds the board, forced with a reason.

import { ask, find } from "./common.js";

const WORDS = { on: "Switch on", off: "Switch off", cycle: "Reset: off, and on again," };

export class Power {
  // `said` gives who we are at the console: {user, session, mayForce}.
  constructor(name, said) {
    Object.assign(this, { path: `/consoles/${encodeURIComponent(name)}/outlet`, name, said });
    for (const verb of ["on", "off", "cycle"]) find(verb).addEventListener("click", () => this.switch(verb));
    find("status").addEventListener("click", () => this.look());
    find("reason").addEventListener("input", () => { find("yes").disabled = !find("why").hidden && !find("reason").value.trim(); });
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

  async switch(verb) {
    if (!(await question(`${WORDS[verb]} ${this.name}?`, "", false, verb === "cycle" ? "Reset" : verb === "on" ? "On" : "Off"))) return;
    await this.operate(verb, {});
  }

  async operate(verb, how) {
    const { user, session, mayForce } = this.said();
    this.show("is being switched");
    try {
      this.show((await ask(`${this.path}/${verb}`, "POST", { user, session, ...how })).state);
    } catch (error) {
      this.show("?");
      const force = error.status === 409 && mayForce && !how.force;
      const told = [error.message, error.hint].filter(Boolean).join(". ");
      const answer = await question(`${this.name} was not switched`, told, force, force ? "Force" : "Well");
      if (answer && force) return this.operate(verb, { force: true, reason: find("reason").value.trim() });
      await this.look();
    }
  }
}

// Asks in a dialog; whether it was answered with yes.
function question(text, told, why, yes) {
  const dialog = find("ask");
  find("question").textContent = text;
  find("told").textContent = told;
  find("why").hidden = !why;
  find("reason").value = "";
  find("yes").textContent = yes;
  find("yes").disabled = why;
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}
