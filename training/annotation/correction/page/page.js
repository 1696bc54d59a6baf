// The page: which moment, which joint, what was marked; the server computes, every mark is kept when it is made.

import { View, errorColour } from './view.js';

const AT_ONCE = 6;
const RENEW_MS = 15000;
const page = Math.random().toString(36).slice(2);
const person = new URLSearchParams(location.search).get('person') || '';
const $ = (id) => document.getElementById(id);

const state = { overview: null, moment: -1, data: null, chosen: 0, views: [], first: 0, undo: [], live: null, locked: '', busy: 0 };

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Annotation': '1' },
    body: JSON.stringify({ page, person, ...body }),
  };
  state.busy += 1;
  try {
    const answer = await fetch(path, options);
    const tree = await answer.json();
    if (!answer.ok) throw new Error(tree.error || answer.statusText);
    return tree;
  } finally {
    state.busy -= 1;
  }
}

function say(text, bad = false) {
  $('state').textContent = text;
  $('state').className = bad ? 'bad' : '';
}

const marksOf = (joint) => (state.data && state.data.marks[joint]) || {};
const isRejected = (joint) => {
  if (state.data.rejected.includes(joint)) return true;
  return state.data.reason[joint] !== 'accepted' && Object.keys(marksOf(joint)).length < 2;
};

// What a view shows: the marks a person made there, else where the joint in space is.
function pointsOf(view) {
  const name = state.overview.cameras[view].name;
  const points = state.data.projected[view].slice();
  for (const [joint, marks] of Object.entries(state.data.marks)) {
    if (marks[name] && Object.keys(marks).length < 2) points[joint] = marks[name];
  }
  const live = state.live;
  if (live) {
    if (live.answer && live.answer.projected) points[live.joint] = live.answer.projected[view];
    if (live.view === view) points[live.joint] = live.at;
  }
  return points;
}

function redraw() {
  if (!state.data) return;
  const answer = state.live && state.live.answer;
  const bones = ((answer && answer.bones) || state.data.bones).map((b, k) => [...state.overview.bones[k], b[1]]);
  for (const view of state.views) {
    const name = view.name;
    const colours = state.data.projected[view.index].map((_, joint) => {
      if (answer && joint === state.live.joint && name in answer.error) return errorColour(answer.error[name]);
      return errorColour(state.data.error[view.index][joint]);
    });
    const marked = new Set(Object.keys(state.data.marks).filter((j) => state.data.marks[j][name]).map(Number));
    const lines = answer ? Object.entries(answer.lines).filter(([key]) => key.endsWith(`>${name}`)).map(([, line]) => line) : [];
    view.draw({ points: pointsOf(view.index), bones, colours, rejected: isRejected, marks: marked, chosen: state.chosen, lines });
  }
  const reason = state.data.rejected.includes(state.chosen) ? 'rejected by hand' : state.data.reason[state.chosen];
  $('joint').textContent = `${state.overview.joints[state.chosen]}: ${reason}`;
}

function lay() {
  const cameras = state.overview.cameras;
  const count = Math.min(AT_ONCE, cameras.length);
  $('views').replaceChildren();
  const columns = count <= 2 ? count : count <= 4 ? 2 : 3;
  $('views').style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
  $('views').style.gridTemplateRows = `repeat(${Math.ceil(count / columns)}, 1fr)`;
  const on = {
    points: pointsOf,
    choose: (joint) => { state.chosen = joint; redraw(); },
    drag: (view, joint, at) => drag(view, joint, at),
    drop: (view, joint, at) => drop(view, joint, at),
    put: (view, at) => drop(view, state.chosen, at),
    redraw,
  };
  state.views = Array.from({ length: count }, (_, k) => {
    const index = (state.first + k) % cameras.length;
    return new View(index, cameras[index], $('views'), on);
  });
}

async function show(moment) {
  if (state.moment >= 0 && state.moment !== moment) ask('/api/release', { moment: state.moment }).catch(() => {});
  state.moment = moment;
  state.undo = [];
  state.live = null;
  state.data = await ask(`/api/moment/${moment}`);
  await lock();
  await pictures();
}

async function pictures() {
  const moment = state.moment;
  const info = state.overview.moments[moment];
  $('where').textContent = `moment ${moment} of ${state.overview.moments.length}, doubt ${info.doubt}${state.data.checked ? ', checked' : ''}`;
  await Promise.all(state.views.map(async (view) => {
    view.caption.textContent = view.name;
    await view.load(`/api/picture/${moment}/${view.index}`);
    if (!view.image) view.caption.textContent = `${view.name}: no picture`;
  }));
  if (moment !== state.moment) return;
  for (const view of state.views) view.fit(pointsOf(view.index));
  redraw();
}

async function lock() {
  try {
    await ask('/api/lock', { moment: state.moment });
    state.locked = '';
    say(state.data.checked ? 'checked' : '');
  } catch (error) {
    state.locked = error.message;
    say(error.message, true);
  }
}

// While a joint is dragged one question at a time is on its way; the newest place is asked next.
function drag(view, joint, at) {
  if (state.locked) return say(state.locked, true);
  state.live = { ...(state.live && state.live.joint === joint ? state.live : {}), view, joint, at };
  redraw();
  if (!state.asking) askPlace();
}

async function askPlace() {
  state.asking = true;
  while (state.live && state.live.asked !== state.live.at) {
    const live = state.live;
    live.asked = live.at;
    const marks = { ...marksOf(live.joint), [state.overview.cameras[live.view].name]: live.at };
    try {
      const answer = await ask('/api/place', { moment: state.moment, joint: live.joint, marks });
      if (state.live && state.live.joint === live.joint) state.live.answer = answer;
    } catch (error) {
      say(error.message, true);
    }
    redraw();
  }
  state.asking = false;
}

async function drop(view, joint, at) {
  if (state.locked) return say(state.locked, true);
  const marks = { ...state.data.marks, [joint]: { ...marksOf(joint), [state.overview.cameras[view].name]: at } };
  await change({ marks, rejected: state.data.rejected.filter((j) => j !== joint) });
  // the line that says where it may lie stays until the second mark
  state.live = { view: -1, joint, at, asked: at };
  state.live.answer = await ask('/api/place', { moment: state.moment, joint, marks: marksOf(joint) });
  redraw();
}

async function change(what, keep = true) {
  if (state.locked) return say(state.locked, true);
  const { marks, rejected, checked } = state.data;
  if (keep) state.undo.push({ marks, rejected, checked });
  try {
    state.data = await ask('/api/save', { moment: state.moment, marks, rejected, checked, ...what });
    state.live = null;
    state.overview.moments[state.moment].checked = state.data.checked;
    say('kept');
  } catch (error) {
    if (keep) state.undo.pop();
    say(`not kept: ${error.message}`, true);
  }
  redraw();
}

function stepDoubtful(step) {
  const order = state.overview.order;
  const at = order.indexOf(state.moment);
  return show(order[(at + step + order.length) % order.length]);
}

const keys = {
  n: () => stepDoubtful(1),
  p: () => stepDoubtful(-1),
  ArrowRight: () => show(Math.min(state.moment + 1, state.overview.moments.length - 1)),
  ArrowLeft: () => show(Math.max(state.moment - 1, 0)),
  ']': () => { state.chosen = (state.chosen + 1) % 42; state.live = null; redraw(); },
  '[': () => { state.chosen = (state.chosen + 41) % 42; state.live = null; redraw(); },
  r: () => { state.chosen %= 21; redraw(); },
  l: () => { state.chosen = 21 + (state.chosen % 21); redraw(); },
  x: () => {
    const now = state.data.rejected;
    return change({ rejected: now.includes(state.chosen) ? now.filter((j) => j !== state.chosen) : [...now, state.chosen] });
  },
  Delete: () => {
    const marks = { ...state.data.marks };
    delete marks[state.chosen];
    return change({ marks });
  },
  ' ': async () => {
    await change({ checked: true });
    if (!state.locked) await stepDoubtful(1);
  },
  z: () => (state.undo.length ? change(state.undo.pop(), false) : say('nothing to undo')),
  v: () => { state.first = (state.first + AT_ONCE) % state.overview.cameras.length; lay(); return pictures(); },
  0: () => { for (const view of state.views) view.fit(pointsOf(view.index)); redraw(); },
  '?': () => { $('help').hidden = !$('help').hidden; },
};

document.addEventListener('keydown', (event) => {
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== 'z')) return;
  const act = keys[event.key];
  if (!act || !state.data) return;
  event.preventDefault();
  Promise.resolve(act()).catch((error) => say(error.message, true));
});
for (const button of document.querySelectorAll('button[data-key]')) {
  button.addEventListener('click', () => {
    button.blur();
    Promise.resolve(keys[button.dataset.key]()).catch((error) => say(error.message, true));
  });
}
window.addEventListener('resize', redraw);
window.addEventListener('pagehide', () => {
  fetch('/api/release', {
    method: 'POST', keepalive: true, headers: { 'X-Annotation': '1' }, body: JSON.stringify({ page, person, moment: state.moment }),
  });
});
setInterval(() => { if (state.moment >= 0) lock().then(redraw); }, RENEW_MS);

// For whoever drives the page by program: where a joint is on the screen and in the picture.
window.annotation = {
  state,
  show,
  client: (view, point) => state.views[view].toClient(point),
  point: (view, joint) => pointsOf(state.views[view].index)[joint],
  idle: () => state.busy === 0 && !state.asking && state.data !== null,
};

state.overview = await ask('/api/overview');
lay();
await show(state.overview.order[0]);
