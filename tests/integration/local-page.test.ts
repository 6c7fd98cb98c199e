import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { PageState } from '../../gateway/local/page-state.ts';
import type { GatewayStatus } from '../../gateway/status.ts';
import { root } from '../rules/sources.ts';
import { chromium, phone } from '../support/browser.ts';
import { testWith } from '../support/debian-part.ts';
import { command, end, jsonOf } from '../support/process.ts';
import { crossing, newStore, run, type Store, sensorClient } from '../support/store.ts';
import { Workspace } from '../support/workspace.ts';

// Each test is several starts of the program, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const workspace = new Workspace();

async function countingStore(page = ''): Promise<Store> {
  const store = await newStore(workspace, page === '' ? {} : { page });
  await run(workspace, store);
  const options = ['--profile', 'json-crossing', '--topic', 'door', '--name', 'Front door'];
  await command('footbridge', ...store.of, 'sensor', 'pair', 'front-door', ...options);
  return store;
}

/** Fetch sets Host by itself; a page that rebinds a name does not. */
function get(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('the page says what was counted since midnight, when it was heard and what waits', async () => {
  const store = await countingStore();
  const client = await sensorClient(workspace, store);
  await client.publishAsync('door', crossing(1, 'in'), { qos: 1 });
  await client.publishAsync('door', crossing(2, 'in'), { qos: 1 });
  await client.publishAsync('door', crossing(3, 'out'), { qos: 1 });
  const state = (await (await fetch(`${store.page}/state`)).json()) as PageState;
  expect(state).toMatchObject({
    store: null,
    light: 'warning',
    headline: 'Counting. Not connected to headquarters yet.',
    buffer: { waiting: 3 },
    sensors: [{ sensor_id: 'front-door', name: 'Front door', in: 2, out: 1, is_silent: false }],
  });
  expect(state.sensors[0]?.seen_s).toBeLessThan(10);
});

test('other sites cannot read the page, by a name of their own or by a script, and nobody can write', async () => {
  const store = await countingStore();
  const { page } = store;
  const { port } = new URL(store.page);
  expect(await get(`${store.page}/state`, { host: `evil.example:${port}` })).toBe(421);
  expect(await get(`${store.page}/state`, { host: 'localhost' })).toBe(200);
  expect(await get(`${store.page}/state`, { host: `192.0.2.7:${port}` })).toBe(200);
  expect(await get(`${store.page}/state`, { host: '[::1]:80' })).toBe(200);
  expect(await get(`${store.page}/events`, { 'sec-fetch-site': 'cross-site' })).toBe(403);

  for (const path of ['/', '/state', '/page.js', '/nowhere']) {
    const { headers } = await fetch(page + path, { headers: { origin: 'http://evil.example' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:/);
  }
  const html = await (await fetch(page)).text();
  expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(html).not.toMatch(/<script(?![^>]*src)/);

  for (const [method, path] of [
    ['POST', '/sensors'],
    ['DELETE', '/sensors/front-door'],
    ['POST', '/state'],
    ['GET', '/../../etc/passwd'],
    ['GET', '/status'],
  ] as const) {
    expect((await fetch(page + path, { method })).status, `${method} ${path}`).toBe(404);
  }
});

test('with a PIN the counts are shown to who typed it, and guessing is slow', async () => {
  const pin_file = join(workspace.folder(), 'pin');
  writeFileSync(pin_file, '4711\n');
  const { page } = await countingStore(`pin_file: ${pin_file}`);
  expect((await fetch(`${page}/state`)).status).toBe(401);
  expect((await fetch(`${page}/events`)).status).toBe(401);
  expect(await (await fetch(page)).text()).toContain('PIN of this page');
  const type = (pin: string) =>
    fetch(`${page}/pin`, {
      method: 'POST',
      body: new URLSearchParams({ pin }),
      redirect: 'manual',
    });

  const entered = await type('4711');
  const cookie = entered.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
  const [pair = ''] = cookie.split(';');
  expect((await fetch(`${page}/state`, { headers: { cookie: pair } })).status).toBe(200);
  expect((await fetch(`${page}/state`, { headers: { cookie: `${pair}x` } })).status).toBe(401);

  for (let i = 0; i < 5; i++) expect((await type(`000${i}`)).status).toBe(403);
  expect((await type('4711')).status).toBe(429);
});

test('a page for others than this machine needs a PIN', async () => {
  const store = await newStore(workspace, { page: 'host: 0.0.0.0' });
  const { code, stderr } = await command('footbridge', ...store.of, 'check-config');
  expect(code).toBe(78);
  expect(stderr).toContain('page.pin_file');
});

test('where its port is taken, counting goes on without the page', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  workspace.onEnd(() => blocker.close());
  await once(blocker, 'listening');
  const { port } = blocker.address() as AddressInfo;
  const store = await newStore(workspace);
  const page = `http://127.0.0.1:${port}`;
  writeFileSync(
    store.of[1] ?? '',
    readFileSync(store.of[1] ?? '', 'utf8').replace(/page: .*/, `page: { port: ${port} }`),
  );
  await run(workspace, { ...store, page });
  const options = ['--profile', 'json-crossing', '--topic', 'door'];
  await command('footbridge', ...store.of, 'sensor', 'pair', 'door', ...options);
  const client = await sensorClient(workspace, store);
  await client.publishAsync('door', crossing(1, 'in'), { qos: 1 });
  const seen = await jsonOf<GatewayStatus>('footbridge', ...store.of, 'status');
  expect(seen.buffer.buffered).toBe(1);
});

test.each(['light', 'dark'])('every text of the %s page stands out 4.5 to 1 or more', (theme) => {
  const css = readFileSync(join(root, 'gateway/local/page/page.css'), 'utf8');
  const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');
  const text = theme === 'light' ? light : dark;
  const colour = (name: string) => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(text)?.[1] ?? '';
  const pairs = [
    ...['text', 'soft', 'fault', 'action'].map((name) => [name, 'ground'] as const),
    ...['good', 'warning', 'fault', 'action'].map((name) => ['on-light', name] as const),
  ];
  for (const [one, other] of pairs) {
    expect(contrast(colour(one), colour(other)), `${one} on ${other}`).toBeGreaterThanOrEqual(4.5);
  }
});

/** Contrast ratio of WCAG 2.2, 1.4.3. */
function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

testWith(chromium, 'on a phone the page shows each person who walks, live', async () => {
  const store = await countingStore();
  const page = await phone(workspace);
  const elsewhere: string[] = [];
  const problems: string[] = [];
  page.on('request', (sent) => {
    if (!sent.url().startsWith(store.page) && !sent.url().startsWith('data:'))
      elsewhere.push(sent.url());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => problems.push(message.text()));
  await page.goto(store.page);
  const client = await sensorClient(workspace, store);
  await client.publishAsync('door', crossing(1, 'in'), { qos: 1 });
  await page.waitForFunction(`document.body.innerText.includes('1 in, 0 out')`);

  await page.locator('#sensors button').click();
  await page.waitForSelector('#big:not([hidden])');
  await client.publishAsync('door', crossing(2, 'in'), { qos: 1 });
  await client.publishAsync('door', crossing(3, 'out'), { qos: 1 });
  await page.waitForFunction(`document.getElementById('big-said').textContent === '1 in, 1 out'`);
  const seen = (await page.evaluate(`({
    height: document.getElementById('big-in').getBoundingClientRect().height,
    wide: document.documentElement.scrollWidth,
    at: document.activeElement.id,
  })`)) as { height: number; wide: number; at: string };
  // A digit of 100 px on a phone is 15 mm, which is read from three metres.
  expect(seen.height).toBeGreaterThan(100);
  expect(seen.wide).toBeLessThanOrEqual(360);
  expect(seen.at).toBe('big-name');
  expect(elsewhere).toEqual([]);
  expect(problems).toEqual([]);
});

testWith(
  chromium,
  'a gateway that ends is said at once, and the page comes back by itself',
  async () => {
    const store = await newStore(workspace);
    const gateway = await run(workspace, store);
    const page = await phone(workspace);
    await page.goto(store.page);
    await page.waitForFunction(`document.body.innerText.includes('No sensor is paired')`);
    await end(gateway);
    await page.waitForFunction(`document.body.innerText.includes('The numbers below are old')`);
    await run(workspace, store);
    await page.waitForFunction(`document.body.innerText.includes('No sensor is paired')`);
  },
);

testWith(
  chromium,
  'the keyboard reaches everything, and a screen reader is told what it is',
  async () => {
    const store = await countingStore();
    const page = await phone(workspace);
    await page.goto(store.page);
    await page.waitForSelector('#sensors button');
    const focused: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      await page.keyboard.press('Tab');
      focused.push(await page.evaluate('document.activeElement.textContent.trim()'));
    }
    expect(focused).toEqual(['To the sensors', expect.stringContaining('Front door')]);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#big:not([hidden])');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#big[hidden]');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Front door');

    const tree = JSON.stringify(await page.accessibility.snapshot({ interestingOnly: false }));
    for (const role of ['main', 'banner', 'heading', 'status', 'list', 'button', 'contentinfo']) {
      expect(tree).toContain(`"role":"${role}"`);
    }
  },
);
