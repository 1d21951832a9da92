// Small drawings: elements, noise, images, charts. Nothing here knows what a number means.

export function element(tag, settings = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name.startsWith("on")) one.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-")) one.setAttribute(name, String(value));
    else if (value === true) one.setAttribute(name, "");
    else if (value !== false && value != null) one.setAttribute(name, value);
  }
  one.append(...children.flat().filter((child) => child != null));
  return one;
}

export function svg(tag, settings = {}, ...children) {
  const one = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name.startsWith("on")) one.addEventListener(name.slice(2), value);
    else one.setAttribute(name, value);
  }
  one.append(...children.flat());
  return one;
}

const BLUES = [[247, 247, 247], [146, 197, 222], [67, 147, 195], [5, 48, 97]];
const REDS = [[247, 247, 247], [244, 165, 130], [214, 96, 77], [103, 0, 31]];

function colourOf(value, scale) {
  const ramp = value < 0 ? BLUES : REDS;
  const place = Math.min(Math.abs(value) / scale, 1) * (ramp.length - 1);
  const low = Math.min(Math.floor(place), ramp.length - 2);
  return ramp[low].map((part, channel) => part + (place - low) * (ramp[low + 1][channel] - part));
}

// Paint a canvas: fill(data, pixel, at) writes the colour of a pixel at a place of the data.
function put(canvas, shape, fill) {
  const [height, width] = shape;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  const { data } = picture;
  data.fill(255);
  for (let pixel = 0; pixel < width * height; pixel += 1) fill(data, pixel, 4 * pixel);
  context.putImageData(picture, 0, 0);
}

// Noise of the size `scale` has full colour.
export function drawNoise(canvas, noise, shape, scale) {
  if (shape[2] === 1) put(canvas, shape, (data, pixel, at) => data.set(colourOf(noise[pixel], scale), at));
  else {
    put(canvas, shape, (data, pixel, at) => {
      for (let channel = 0; channel < 3; channel += 1) data[at + channel] = 127.5 + (127.5 * noise[3 * pixel + channel]) / scale;
    });
  }
}

// Grey images are ink on paper: 0 is white. Pixels are bytes.
export function drawImage(canvas, bytes, shape) {
  const grey = shape[2] === 1;
  put(canvas, shape, (data, pixel, at) => {
    for (let channel = 0; channel < 3; channel += 1) data[at + channel] = grey ? 255 - bytes[pixel] : bytes[3 * pixel + channel];
  });
}

// The part of many images, one after the other, that is the image at a place.
export function imageAt(all, place, shape) {
  const values = shape[0] * shape[1] * shape[2];
  return all.subarray(place * values, (place + 1) * values);
}

export function npy(values, shape) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  header += " ".repeat((64 - ((10 + header.length + 1) % 64)) % 64) + "\n";
  const start = [0x93, ...[..."NUMPY"].map((letter) => letter.charCodeAt(0)), 1, 0, header.length & 255, header.length >> 8];
  return new Blob([new Uint8Array(start), header, values], { type: "application/octet-stream" });
}

export function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
