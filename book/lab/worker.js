// The engine in a browser: it answers what the screen asks as course_utils/lab/engine.py does, on the same digits.

// How many digits are measured, and how many a step of the search takes: while something moves, and when it rests.
const [MOVING, STILL] = [{ measured: 100, batch: 8 }, { measured: 1000, batch: 16 }];
const AT_ONCE = 50; // digits in the network at a time; more take no less time, and more memory
const MOMENTUM = 0.9; // of the search
const SLOW = 25; // milliseconds; a processor takes a step of the search in 5 to 20, and a GPU should not take longer
const [SIDE, SIZE] = [28, 784];

const sessions = {};
let ort, lab, options, train, test, means;

// Fetch a file; where it was packed, unpack it.
async function load(path, onBytes = () => {}) {
  try {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(answer.statusText);
    const counted = new TransformStream({ transform: (chunk, out) => (onBytes(chunk.length), out.enqueue(chunk)) });
    const body = answer.body.pipeThrough(counted);
    const unpacked = path.endsWith(".packed") ? body.pipeThrough(new DecompressionStream("gzip")) : body;
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch (error) {
    throw Object.assign(error, { file: path });
  }
}

async function begin() {
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  const fast = gpu && !gpu.info?.isFallbackAdapter;
  const runtime = fast ? await start("webgpu").catch(() => start("wasm")) : await start("wasm");
  postMessage({ ready: runtime });
  for (const name of lab.networks) session(name).catch(() => {}); // those that are not shown yet; who asks is told
}

async function start(kind) {
  const first = `${lab.networks[0]}.onnx`;
  const files = [`ort/${kind}.wasm.packed`, "digits.packed", first];
  const total = files.reduce((sum, file) => sum + lab.bytes[file], 0);
  let there = 0;
  const count = (bytes) => postMessage({ share: Math.min(1, (there += bytes) / total) });
  const [runtime, binary, digits, network] = await Promise.all([import(`./ort/${kind}.mjs`), ...files.map((file) => load(file, count))]);
  ort = runtime;
  Object.assign(ort.env.wasm, { wasmBinary: binary.buffer, numThreads: 1 });
  options = { executionProviders: kind === "wasm" ? ["wasm"] : [kind, "wasm"], logSeverityLevel: 3 };
  train = digits.subarray(0, lab.trained * SIZE);
  test = digits.subarray(train.length, train.length + lab.labels.length * SIZE);
  means = new Float32Array(digits.buffer, train.length + test.length);
  sessions[lab.networks[0]] = opened(first, network);
  let begun;
  for (let turn = 0; turn < 3; turn += 1) { // the first takes longest
    begun = performance.now();
    await run(lab.networks[0], new Float32Array(STILL.batch * SIZE), new Float32Array(STILL.batch * lab.classes));
  }
  if (kind === "webgpu" && performance.now() - begun > SLOW) throw new Error("slow");
  return kind;
}

function session(name) {
  sessions[name] ??= load(`${name}.onnx`).then((bytes) => opened(`${name}.onnx`, bytes));
  return sessions[name];
}

async function opened(file, bytes) {
  try {
    return await ort.InferenceSession.create(bytes, options);
  } catch (error) {
    throw Object.assign(new Error(String(error)), { file });
  }
}

async function run(name, pixels, wanted = new Float32Array(lab.classes)) {
  const feeds = {
    images: new ort.Tensor("float32", pixels, [pixels.length / SIZE, 1, SIDE, SIDE]),
    wanted: new ort.Tensor("float32", wanted, [wanted.length / lab.classes, lab.classes]),
  };
  return (await session(name)).run(feeds);
}

// Digits with noise, as the network gets them.
function noisy(bytes, noise) {
  const pixels = new Float32Array(bytes.length);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = Math.max(0, Math.min(1, bytes[at] / 255 + noise[at % SIZE]));
  return pixels;
}

async function logitsOf(name, pixels) {
  const all = [];
  for (let at = 0; at < pixels.length; at += AT_ONCE * SIZE) {
    const { logits } = await run(name, pixels.subarray(at, at + AT_ONCE * SIZE));
    for (let row = 0; row < logits.data.length; row += lab.classes) all.push(logits.data.slice(row, row + lab.classes));
  }
  return all;
}

const largestAt = (values) => values.indexOf(Math.max(...values));
const asBytes = (pixels) => ({ data: Uint8Array.from(pixels, (one) => Math.round(255 * one)) });
const testDigits = (places) => places.flatMap((place) => [...test.subarray(place * SIZE, (place + 1) * SIZE)]);

function verdictOf(seen, label, target) {
  if (target === null) return seen === label ? "right" : "hit";
  if (label === target) return "";
  return seen === label ? "right" : seen === target ? "hit" : "other";
}

// Never 0 where there is one, and never 100 where one is missing.
function inHundred(count, of) {
  if (!count || count === of) return count && 100;
  return Math.min(99, Math.max(1, Math.round((100 * count) / of)));
}

async function counts(name, pixels, target, places) {
  const seen = (await logitsOf(name, pixels)).map(largestAt);
  const shown = seen.splice(seen.length - places.length);
  const verdicts = seen.map((one, place) => verdictOf(one, lab.labels[place], target));
  const clean = lab.labels.map((label, place) => verdictOf(lab.seen[name].test[place], label, target));
  const count = (kind, all = verdicts) => all.filter((one) => one === kind).length;
  const [right, hit, elsewhere] = ["right", "hit", "other"].map((kind) => count(kind));
  const confusion = Array.from({ length: lab.classes }, () => new Array(lab.classes).fill(0));
  seen.forEach((one, place) => (confusion[lab.labels[place]][one] += 1));
  const of = right + hit + elsewhere;
  return {
    of, hit, right, elsewhere, images: seen.length, confusion, seen: shown,
    in_100: inHundred(hit, of), clean_in_100: inHundred(count("hit", clean), clean.length - count("", clean)),
    verdicts: shown.map((one, place) => verdictOf(one, lab.labels[places[place]], target)),
  };
}

// One step of the search after the other, as find_universal_noise takes them, and on the digits that it would draw.
async function* searching({ network, target, limit, l2_weight: weight, steps, moving }) {
  const { batch: count } = moving ? MOVING : STILL;
  const noise = new Float32Array(SIZE);
  const velocity = new Float64Array(SIZE);
  const [strength, sign] = [Math.fround(limit), target === null ? -1 : 1]; // with no target: away from what is seen
  for (let step = 0; step < steps; step += 1) {
    const wanted = new Float32Array(count * lab.classes);
    const first = step * STILL.batch;
    for (let row = 0; row < count; row += 1) wanted[row * lab.classes + (target ?? lab.seen[network].train[first + row])] = 1;
    const batch = train.subarray(first * SIZE, (first + count) * SIZE);
    const { gradient } = await run(network, noisy(batch, noise), wanted);
    const slope = gradient.data.map((one, at) => sign * one + weight * noise[at]);
    const size = slope.reduce((sum, one) => sum + Math.abs(one), 0) / SIZE || 1;
    const length = limit * (1 - step / steps);
    for (let at = 0; at < SIZE; at += 1) {
      velocity[at] = MOMENTUM * velocity[at] + slope[at] / size;
      noise[at] = Math.max(-strength, Math.min(strength, noise[at] - length * Math.sign(velocity[at])));
    }
    yield noise;
  }
}

const questions = {
  async measure({ networks, moving, target }, [noise]) {
    const places = lab.places[target ?? "none"];
    const images = Math.min((moving ? MOVING : STILL).measured, lab.labels.length);
    const shown = noisy(testDigits(places), noise);
    const pixels = new Float32Array((images + places.length) * SIZE);
    pixels.set(noisy(test.subarray(0, images * SIZE), noise));
    pixels.set(shown, images * SIZE);
    const measured = {};
    for (const name of networks) measured[name] = await counts(name, pixels, target, places);
    return { measured, images, places, arrays: [asBytes(shown)] };
  },

  async search(settings) {
    let noise;
    for await (noise of searching(settings));
    const answer = await questions.measure(settings, [noise]);
    answer.arrays.push({ data: noise });
    return answer;
  },

  async grow(settings) {
    const all = [new Float32Array(SIZE)];
    for await (const noise of searching(settings)) all.push(noise.slice());
    const some = test.subarray(0, MOVING.measured * SIZE);
    const found = [];
    for (const noise of all) found.push((await counts(settings.network, noisy(some, noise), settings.target, [])).in_100);
    return { in_100: found, images: some.length / SIZE, arrays: [{ data: Float32Array.from(all.flatMap((one) => [...one])) }] };
  },

  async mean({ target, limit, sign }) {
    const at = ((sign ? lab.classes : 0) + target) * SIZE;
    return { arrays: [{ data: means.slice(at, at + SIZE).map((one) => limit * one) }] };
  },

  async scores({ networks, place }, [noise, own]) {
    const none = new Float32Array(SIZE);
    const clean = own ?? noisy(testDigits([place]), none);
    const both = new Float32Array(2 * SIZE);
    both.set(clean);
    both.set(clean.map((one, at) => Math.max(0, Math.min(1, one + noise[at]))), SIZE);
    const scores = {};
    for (const name of networks) scores[name] = (await logitsOf(name, both)).map(softmax);
    return { scores, arrays: [asBytes(both)] };
  },
};

function softmax(logits) {
  const largest = Math.max(...logits);
  const parts = Array.from(logits, (one) => Math.exp(one - largest));
  const sum = parts.reduce((total, one) => total + one, 0);
  return parts.map((part) => part / sum);
}

let turn = Promise.resolve(); // one question after the other
onmessage = ({ data: { lab: given, id, question, settings, arrays } }) => {
  if (given) {
    lab = given;
    turn = begin().catch((error) => (postMessage({ failed: error.file ?? "ort" }), Promise.reject(error)));
    turn.catch(() => {});
    return;
  }
  turn = turn.then(async () => {
    const answer = await questions[question](settings, arrays).catch((error) => error);
    postMessage(answer instanceof Error ? { id, file: answer.file, answer: { error: answer.message } } : { id, answer });
  });
};
