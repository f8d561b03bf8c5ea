// What boards' consoles say, a JSON object a line, for as long as the page is seen.

const AGAIN = 3000;

export function feed(told) {
  let end = null;
  const run = async () => {
    if (end || document.hidden) return;
    end = new AbortController();
    try {
      await read(end.signal, told);
    } catch { /* it is begun again */ }
    end = null;
    setTimeout(run, AGAIN);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) end?.abort();
    else run();
  });
  addEventListener("pagehide", () => end?.abort());
  run();
}

async function read(signal, told) {
  const answer = await fetch("/feed", { signal, cache: "no-store" });
  if (!answer.ok) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const row = JSON.parse(line);
      if (row.type === "console") told(row);
    }
  }
}
