// How the screen asks its engine. An engine is anything with ask(question, settings, arrays): a promise of
// {…, arrays}. This one is the kernel, behind an anywidget model.

const PATIENCE = 20000; // milliseconds without an answer, after which the kernel counts as lost
const TYPES = { float32: Float32Array, uint8: Uint8Array };

export function bytesOf(view) {
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}

export function kernelEngine(model, onLost) {
  const waiting = new Map();
  const name = Math.random().toString(36).slice(2); // a model may be on the screen twice
  const lose = () => onLost(true);
  let last = 0;
  model.on("msg:custom", (message, buffers) => {
    const entry = waiting.get(message.id);
    if (!entry) return;
    waiting.delete(message.id);
    clearTimeout(entry.timer);
    onLost(false);
    const arrays = message.arrays.map(({ type, shape }, place) => ({ data: new TYPES[type](bytesOf(buffers[place])), shape }));
    entry.resolve({ ...message.answer, arrays });
  });
  model.on("comm_live_update", lose);
  model.on("comm:close", lose);
  return {
    ask(question, settings, arrays = []) {
      last += 1;
      const id = `${name} ${last}`;
      return new Promise((resolve) => {
        waiting.set(id, { resolve, timer: setTimeout(lose, PATIENCE) });
        model.send({ id, question, settings }, undefined, arrays.map(bytesOf));
      });
    },
  };
}

// Of several wishes only the latest is asked for, and one at a time: nothing queues. A wish's promise is kept when
// nothing is left to ask.
export function latest(ask) {
  let next = null;
  let running = null;
  async function run() {
    try {
      while (next) {
        const now = next;
        next = null;
        await ask(...now);
      }
    } finally {
      running = null;
    }
  }
  return (...what) => {
    next = what;
    running ??= run();
    return running;
  };
}
