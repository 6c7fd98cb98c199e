/** The script of the store's page: shows what the gateway pushes. Runs in a browser, without a build. */
import type { PageSensor, PageState } from '../page-state.ts';

function part<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Writes only what changed: a screen reader speaks at every write. */
function say(id: string, text: string): void {
  const element = part(id);
  if (element.textContent !== text) element.textContent = text;
}

function ago(seconds: number | null): string {
  if (seconds === null) return 'not yet';
  if (seconds < 5) return 'now';
  if (seconds < 120) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}

let last: PageState | undefined;
/** The sensor that fills the screen, and its counts when somebody began to watch. */
let watched: { sensor_id: string; in: number; out: number } | undefined;

function show(state: PageState): void {
  last = state;
  say('store', state.store ?? 'Footbridge');
  say('time', state.time);
  say('headline', state.headline);
  part('headline').dataset['light'] = state.light;
  say('since', state.since);
  say('version', state.version);
  const { waiting, oldest_s } = state.buffer;
  say('waiting', waiting === 0 ? 'nothing' : `${waiting} readings, the oldest ${ago(oldest_s)}`);
  say('delivered', ago(state.delivery.delivered_s));
  say('delivery', state.delivery.state);
  showSensors(state.sensors);
  showWalkTest(state);
  showBig(state);
}

function showSensors(sensors: readonly PageSensor[]): void {
  const list = part('sensors');
  const ids = sensors.map(({ sensor_id }) => sensor_id);
  const shown = [...list.children].map((item) => (item as HTMLElement).dataset['sensor']);
  // Items stay where they are, so that the keyboard does not lose its place twice a second.
  if (shown.join('\n') !== ids.join('\n')) list.replaceChildren(...sensors.map(newItem));
  sensors.forEach((sensor, i) => {
    const item = list.children[i] as HTMLElement;
    const write = (selector: string, text: string) => {
      const element = item.querySelector(selector);
      if (element !== null && element.textContent !== text) element.textContent = text;
    };
    write('b', sensor.name);
    write('.people', peopleOf(sensor));
    write('.seen', `${sensor.is_silent ? 'Silent. ' : ''}Last heard ${ago(sensor.seen_s)}`);
    item.querySelector('.seen')?.classList.toggle('silent', sensor.is_silent);
  });
}

function newItem({ sensor_id }: PageSensor): HTMLElement {
  const item = document.createElement('li');
  item.dataset['sensor'] = sensor_id;
  const button = document.createElement('button');
  button.type = 'button';
  const name = document.createElement('b');
  const people = document.createElement('span');
  people.className = 'people';
  const seen = document.createElement('span');
  seen.className = 'seen';
  button.append(name, people, seen);
  button.addEventListener('click', () => watch(sensor_id));
  item.append(button);
  return item;
}

function peopleOf(sensor: PageSensor): string {
  if (sensor.kind === 'zone') return `${sensor.occupancy ?? '–'} inside`;
  return `${sensor.in} in, ${sensor.out} out`;
}

function showWalkTest({ walk_test }: PageState): void {
  part('walk').hidden = walk_test === null;
  if (walk_test === null) return;
  const { kind, name, expected, counted, verdict } = walk_test;
  say('walk-title', kind === 'audit' ? `Audit of ${name}` : `Walk test of ${name}`);
  const asked =
    kind === 'audit' ? 'Count by hand.' : `Walk in ${expected.in}×, out ${expected.out}×.`;
  const told = {
    waiting: asked,
    pass: 'Passed.',
    swapped: 'In and out are swapped.',
    miscounted: 'It counted something else.',
    too_few: 'Too few people.',
  };
  say('walk-verdict', told[verdict]);
  say('walk-in', String(counted.in));
  say('walk-out', String(counted.out));
}

function showBig({ sensors }: PageState): void {
  const sensor = sensors.find(({ sensor_id }) => sensor_id === watched?.sensor_id);
  part('big').hidden = sensor === undefined;
  part('overview').hidden = sensor !== undefined;
  if (sensor === undefined || watched === undefined) return;
  const isZone = sensor.kind === 'zone';
  const people = {
    in: sensor.since_start.in - watched.in,
    out: sensor.since_start.out - watched.out,
  };
  say('big-name', sensor.name);
  for (const way of ['in', 'out'] as const) {
    const text = isZone && way === 'in' ? String(sensor.occupancy ?? '–') : String(people[way]);
    say(`big-${way}`, text);
    part(`big-${way}`).classList.toggle('long', text.length > 2);
  }
  say('big-said', `${people.in} in, ${people.out} out`);
  say('big-seen', `Last heard ${ago(sensor.seen_s)}`);
}

function watch(sensor_id: string): void {
  const sensor = last?.sensors.find((each) => each.sensor_id === sensor_id);
  if (sensor === undefined || last === undefined) return;
  watched = { sensor_id, ...sensor.since_start };
  showBig(last);
  part('big-name').focus();
}

function back(): void {
  const id = watched?.sensor_id;
  watched = undefined;
  if (last !== undefined) showBig(last);
  const items = [...part('sensors').children] as HTMLElement[];
  items
    .find((item) => item.dataset['sensor'] === id)
    ?.querySelector('button')
    ?.focus();
}

part('zero').addEventListener('click', () => {
  if (watched === undefined) return;
  const { sensor_id } = watched;
  const sensor = last?.sensors.find((each) => each.sensor_id === sensor_id);
  if (sensor !== undefined && last !== undefined) {
    watched = { sensor_id, ...sensor.since_start };
    showBig(last);
  }
});
part('back').addEventListener('click', back);
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && watched !== undefined) back();
});

const events = new EventSource('/events');
events.addEventListener('message', (event: MessageEvent<string>) => {
  show(JSON.parse(event.data) as PageState);
});
// The browser connects again by itself; until then nobody may take old numbers for new ones.
events.addEventListener('error', () => {
  say('headline', 'No connection to the gateway. The numbers below are old.');
  part('headline').dataset['light'] = 'fault';
  if (events.readyState === EventSource.CLOSED) location.reload();
});
