// What the page has loaded is kept, so that it works without a network: the newest where there is one.

const runtime = location.search.slice(1);
const FILES = [...$files, `ort/${runtime}.mjs`, `ort/${runtime}.wasm.packed`];

addEventListener("install", (event) => event.waitUntil(caches.open("noise-lab").then((kept) => kept.addAll(FILES))));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(fetched(event.request)));

async function fetched(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) (await caches.open("noise-lab")).put(request, answer.clone());
    return answer;
  } catch (error) {
    return (await caches.match(request)) ?? Promise.reject(error);
  }
}
