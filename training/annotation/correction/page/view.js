// One camera's picture on a canvas: zoom and pan, joints and bones on it, where the pointer is.

const NEAR_PX = 14; // of the screen: how near to a joint one has to point

export const errorColour = (px) => (px === null || px === undefined ? '#9aa4ae' : px < 3 ? '#5fd35f' : px < 8 ? '#ffc83d' : '#ff5a4f');
const boneColour = (sigmas, right) => {
  if (sigmas === null || Math.abs(sigmas) < 3) return right ? '#ff9f3a' : '#4db7ff';
  return Math.abs(sigmas) < 6 ? '#ffe14d' : '#ff4f6d';
};

export class View {
  constructor(index, camera, parent, on) {
    this.index = index;
    this.camera = camera;
    this.on = on;
    this.image = null;
    this.scale = 1;
    this.offset = [0, 0];
    this.figure = document.createElement('figure');
    this.canvas = document.createElement('canvas');
    this.caption = document.createElement('figcaption');
    this.figure.append(this.canvas, this.caption);
    parent.append(this.figure);
    this.canvas.addEventListener('pointerdown', (event) => this.down(event));
    this.canvas.addEventListener('pointermove', (event) => this.move(event));
    this.canvas.addEventListener('pointerup', (event) => this.up(event));
    this.canvas.addEventListener('pointercancel', (event) => this.up(event));
    this.canvas.addEventListener('dblclick', (event) => on.put(this.index, this.toPicture(event)));
    this.canvas.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    this.drag = null;
  }

  get name() { return this.camera.name; }

  async load(url) {
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
      this.image = image;
    } catch {
      this.image = null;
    }
  }

  // Zoom so that points of the picture fill the view; the whole picture where there are none.
  fit(points) {
    const box = this.canvas.getBoundingClientRect();
    const [width, height] = this.camera.size;
    let [x0, y0, x1, y1] = [0, 0, width, height];
    const inside = points.filter((p) => p && p[0] !== null && p[0] > 0 && p[1] > 0 && p[0] < width && p[1] < height);
    if (inside.length > 3) {
      const xs = inside.map((p) => p[0]);
      const ys = inside.map((p) => p[1]);
      const margin = 0.35 * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) + 15;
      [x0, y0, x1, y1] = [Math.min(...xs) - margin, Math.min(...ys) - margin, Math.max(...xs) + margin, Math.max(...ys) + margin];
    }
    this.scale = Math.min(box.width / (x1 - x0), box.height / (y1 - y0));
    this.offset = [box.width / 2 - this.scale * (x0 + x1) / 2, box.height / 2 - this.scale * (y0 + y1) / 2];
  }

  // Pixel (0, 0) is the centre of the top left pixel, so its edge lies at -0.5.
  toScreen(p) { return [(p[0] + 0.5) * this.scale + this.offset[0], (p[1] + 0.5) * this.scale + this.offset[1]]; }

  toPicture(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left - this.offset[0]) / this.scale - 0.5, (event.clientY - box.top - this.offset[1]) / this.scale - 0.5];
  }

  toClient(p) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = this.toScreen(p);
    return [x + box.left, y + box.top];
  }

  nearest(event, points) {
    const box = this.canvas.getBoundingClientRect();
    const here = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [-1, NEAR_PX];
    points.forEach((p, joint) => {
      if (!p || p[0] === null) return;
      const [x, y] = this.toScreen(p);
      const away = Math.hypot(x - here[0], y - here[1]);
      if (away < least) [best, least] = [joint, away];
    });
    return best;
  }

  down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const joint = this.nearest(event, this.on.points(this.index));
    if (joint >= 0) {
      this.on.choose(joint);
      const from = this.on.points(this.index)[joint];
      const at = this.toPicture(event);
      this.drag = { joint, shift: [from[0] - at[0], from[1] - at[1]], moved: false };
    } else {
      this.drag = { joint: -1, last: [event.clientX, event.clientY] };
    }
  }

  move(event) {
    if (!this.drag) return;
    if (this.drag.joint >= 0) {
      const at = this.toPicture(event);
      this.drag.moved = true;
      this.on.drag(this.index, this.drag.joint, [at[0] + this.drag.shift[0], at[1] + this.drag.shift[1]]);
    } else {
      this.offset = [this.offset[0] + event.clientX - this.drag.last[0], this.offset[1] + event.clientY - this.drag.last[1]];
      this.drag.last = [event.clientX, event.clientY];
      this.on.redraw();
    }
  }

  up(event) {
    const drag = this.drag;
    this.drag = null;
    if (drag && drag.joint >= 0 && drag.moved) {
      const at = this.toPicture(event);
      this.on.drop(this.index, drag.joint, [at[0] + drag.shift[0], at[1] + drag.shift[1]]);
    }
  }

  wheel(event) {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY / 400);
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.offset = [x - factor * (x - this.offset[0]), y - factor * (y - this.offset[1])];
    this.scale *= factor;
    this.on.redraw();
  }

  // points: 42 of the picture; bones: [child, parent, sigmas]; the rest by joint.
  draw({ points, bones, colours, rejected, marks, chosen, lines }) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(box.width * ratio) || this.canvas.height !== Math.round(box.height * ratio)) {
      this.canvas.width = Math.round(box.width * ratio);
      this.canvas.height = Math.round(box.height * ratio);
    }
    const g = this.canvas.getContext('2d');
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, box.width, box.height);
    if (this.image) {
      g.imageSmoothingEnabled = this.scale < 4;
      g.drawImage(this.image, this.offset[0], this.offset[1], this.camera.size[0] * this.scale, this.camera.size[1] * this.scale);
    }
    const known = (p) => p && p[0] !== null;
    g.lineWidth = 2;
    for (const [child, parent, sigmas] of bones) {
      if (!known(points[child]) || !known(points[parent]) || rejected(child) || rejected(parent)) continue;
      g.strokeStyle = boneColour(sigmas, child < 21);
      g.beginPath();
      g.moveTo(...this.toScreen(points[child]));
      g.lineTo(...this.toScreen(points[parent]));
      g.stroke();
    }
    g.setLineDash([6, 5]);
    g.strokeStyle = '#ffffffb0';
    g.lineWidth = 1.2;
    for (const line of lines) {
      g.beginPath();
      line.forEach((p, k) => (k ? g.lineTo(...this.toScreen(p)) : g.moveTo(...this.toScreen(p))));
      g.stroke();
    }
    g.setLineDash([]);
    points.forEach((p, joint) => {
      if (!known(p)) return;
      const [x, y] = this.toScreen(p);
      g.lineWidth = joint === chosen ? 3 : 1.5;
      g.strokeStyle = rejected(joint) ? '#ff5a4f' : colours[joint];
      g.beginPath();
      if (marks.has(joint)) g.rect(x - 5, y - 5, 10, 10);
      else g.arc(x, y, joint === chosen ? 7 : 4.5, 0, 2 * Math.PI);
      g.stroke();
      if (rejected(joint)) {
        g.beginPath();
        g.moveTo(x - 4, y - 4);
        g.lineTo(x + 4, y + 4);
        g.moveTo(x - 4, y + 4);
        g.lineTo(x + 4, y - 4);
        g.stroke();
      }
    });
  }
}
