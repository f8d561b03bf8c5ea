// A worker: the SHA-256 of a file, read in pieces, so that it may be larger than memory.

import { Sha256 } from "./sha256.js";

const PIECE = 4 << 20;
// The browser's own is quicker, for what it can have in memory, and over HTTPS or on this host.
const AT_ONCE = 256 << 20;

async function own(file) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

onmessage = async ({ data: file }) => {
  try {
    if (globalThis.crypto?.subtle && file.size <= AT_ONCE) return postMessage({ sha256: await own(file) });
    const hash = new Sha256();
    for (let at = 0; at < file.size; at += PIECE) {
      postMessage({ part: at / file.size });
      hash.add(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()));
    }
    postMessage({ sha256: hash.digest() });
  } catch (error) {
    postMessage({ error: `the file cannot be read: ${error.message}` });
  }
};
