/** The line to the server: what happens comes by websocket, what a person does goes by POST. */

export class Socket extends EventTarget {
  constructor(person) {
    super();
    this.person = person;
    this.closed = false;
    this.wait = 250;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.line = new WebSocket(`${scheme}://${location.host}/page/socket?person=${encodeURIComponent(this.person ?? "")}`);
    this.line.addEventListener("message", ({ data }) => {
      this.wait = 250;
      this.dispatchEvent(new CustomEvent("told", { detail: JSON.parse(data) }));
    });
    this.line.addEventListener("close", () => {
      if (this.closed) return;
      this.dispatchEvent(new CustomEvent("lost"));
      this.again = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 1.6, 3000);
    });
  }

  close() {
    this.closed = true;
    clearTimeout(this.again);
    this.line.close();
  }
}

/** What the server refused, in its words. */
export class Refused extends Error {}

/**
 * A person's deed: {deed: "slash" | "say" | "press" | …, channel_id, …}. `files` is {name: File}.
 * Resolves to what the server answered; throws Refused with its sentence.
 */
export async function act(person, deed, files = {}) {
  const form = new FormData();
  form.append("act", JSON.stringify(deed));
  for (const [name, file] of Object.entries(files)) form.append(name, file, file.name);
  let answer;
  try {
    answer = await fetch(`/page/act?person=${encodeURIComponent(person)}`, { method: "POST", body: form });
  } catch {
    throw new Refused("The playground cannot be reached. It may be restarting; please try again.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(body.message ?? "The playground could not do that.");
  return body;
}
