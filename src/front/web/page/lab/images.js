// Uploads: the file is hashed, begun, and sent piece by piece from where the server has it; what broke off goes on
// when the same file is chosen again.

import { ask, find } from "./common.js";
import { me, notice, said } from "./acts.js";
import { refresh } from "./live.js";

// Sent at a time, in bytes, and how often a piece is tried again.
const PIECE = 8 << 20;
const TRIES = 5;

let stopped = false;
const form = find("upload");

const named = (query = {}) => new URLSearchParams(document.body.dataset.user ? query : { ...query, user: me() });

function tell(text, part = null) {
  find("how").textContent = text;
  find("progress").hidden = part === null;
  if (part !== null) find("progress").value = part;
}

// The SHA-256 of a file, made beside the page.
function hash(file) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("/web/hash.js", { type: "module" });
    worker.onmessage = ({ data }) => {
      if (data.part !== undefined) return tell(`Reading ${file.name}`, data.part);
      worker.terminate();
      return data.error ? reject(new Error(data.error)) : resolve(data.sha256);
    };
    worker.onerror = () => reject(new Error("the file cannot be read"));
    worker.postMessage(file);
  });
}

async function send(file, upload) {
  let { offset } = upload;
  let tries = 0;
  const begin = Date.now();
  const had = offset;
  while (!stopped) {
    const done = offset / Math.max(1, file.size);
    const rate = (offset - had) / Math.max(1, Date.now() - begin) * 1000;
    const left = rate ? `, ${Math.ceil((file.size - offset) / rate)} s left` : "";
    tell(`${Math.floor(done * 100)} % of ${file.name}${left}`, done);
    try {
      const piece = file.slice(offset, offset + PIECE);
      const answer = await fetch(`/uploads/${upload.id}?${named({ offset })}`, { method: "PATCH", body: piece });
      const told = await answer.json();
      if (!answer.ok) throw Object.assign(new Error(told.error.message), { status: answer.status, hint: told.error.hint });
      if (told.done) return true;
      offset = told.offset;
      tries = 0;
    } catch (error) {
      // Refused is refused; a connection that broke is made again.
      if ((error.status && error.status !== 409) || ++tries > TRIES) throw error;
      await new Promise((later) => setTimeout(later, 500 * tries));
      offset = (await ask(`/uploads/${upload.id}?${named()}`)).offset;
    }
  }
  return false;
}

async function store(file, name) {
  const sha256 = await hash(file);
  const user = document.body.dataset.user ? {} : { user: me() };
  const upload = await ask("/uploads", "POST", { size: file.size, sha256, ...user });
  if (!upload.done && !(await send(file, upload))) return tell("Paused. Upload goes on where it is.", null);
  const keep = find("keep").value === "" ? {} : { keep_s: Number(find("keep").value) };
  await ask(`/images/${encodeURIComponent(name)}`, "PUT", { sha256, note: find("note").value, ...keep, ...user });
  tell(`${name} is stored.`);
  form.reset();
  await refresh();
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!me()) return notice("Say who you are first: your name is asked for at the top.");
  notice("");
  stopped = false;
  [find("send").disabled, find("stop").hidden] = [true, false];
  try {
    await store(find("file").files[0], find("name").value.trim());
  } catch (error) {
    tell("");
    notice(said(error));
  }
  [find("send").disabled, find("stop").hidden] = [false, true];
});
// Before this, what is submitted would not come here.
if (form) find("send").disabled = false;
find("stop")?.addEventListener("click", () => { stopped = true; });
find("file")?.addEventListener("change", () => {
  const [file] = find("file").files;
  if (file && !find("name").value) find("name").value = file.name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "");
});
