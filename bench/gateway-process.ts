/** A gateway and its load as processes of their own, for whatever measures them. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../shared/runtime/clock.ts';
import type { Go, LoadPlan, LoadResult } from './load-publisher.ts';

const clock = systemClock;
const dist = fileURLToPath(new URL('../', import.meta.url));
const entry = `${dist}gateway/cli/footbridge.js`;

/** What `#!/usr/bin/env -S NAME=VALUE … node …` asks of the system and of Node.js. */
function asInstalled(): { flags: string[]; environment: NodeJS.ProcessEnv } {
  const [first = ''] = readFileSync(entry, 'utf8').split('\n');
  const words = first.split(' ').slice(2);
  const node = words.indexOf('node');
  const settings = words.slice(0, node).map((word) => word.split('='));
  return { flags: words.slice(node + 1), environment: Object.fromEntries(settings) };
}

/** Starts a gateway of so many paired sensors as it is installed: by the first line of its entry. */
export async function startGateway(
  folder: string,
  source: object,
  how: { sensors: number; settings?: object; environment?: NodeJS.ProcessEnv },
) {
  const data_dir = join(folder, 'data');
  const paired = Array.from({ length: how.sensors }, (_, i) => {
    const names = { sensor_id: `door-${i}`, name: `door-${i}`, source: 'load' };
    return { ...names, profile: 'json-interval', topic: `counters/${i}` };
  });
  const page = { port: 0 };
  const sources = [{ name: 'load', ...source }];
  const config = { data_dir, log_level: 'warn', page, sources, ...how.settings };
  mkdirSync(data_dir, { recursive: true });
  writeFileSync(join(data_dir, 'sensors.json'), JSON.stringify({ sensors: paired }));
  writeFileSync(join(folder, 'footbridge.yaml'), JSON.stringify(config));
  const parameters = ['--config', join(folder, 'footbridge.yaml'), 'run'];
  const started_at = clock.monotonic();
  const { flags, environment } = asInstalled();
  const gateway = spawn(process.execPath, [...flags, entry, ...parameters], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...environment, ...how.environment },
  });
  const socket = join(data_dir, 'footbridge.sock');
  const until = async (holds: (status: Status) => boolean) => {
    for (;;) {
      const seen = await status(socket);
      if (seen !== null && holds(seen)) return;
      await clock.sleep(10);
    }
  };
  await until(({ sources }) => sources.every(({ state }) => state === 'running'));
  return {
    process: gateway,
    started_at,
    holds: (count: number) => until(({ buffer }) => buffer.buffered >= count),
    /** Readings on disk; the status comes from the buffer's thread, so no commit is under way meanwhile. */
    buffered: async () => (await status(socket))?.buffer.buffered ?? Number.NaN,
  };
}

interface Status {
  readonly buffer: { readonly buffered: number };
  readonly sources: readonly { readonly state: string }[];
}

function status(socketPath: string): Promise<Status | null> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/status' }, (answer) => {
      let body = '';
      answer.on('data', (chunk) => {
        body += chunk;
      });
      answer.on('end', () => resolve(JSON.parse(body) as Status));
    });
    asked.on('error', () => resolve(null));
    asked.end();
  });
}

/** A publisher that is connected and has its messages ready. */
export interface Load {
  /** Sends so many of the plan's messages; `done` when they are acknowledged. */
  send(messages: number): { readonly at: number; readonly done: Promise<LoadResult> };
  end(): Promise<void>;
}

export async function openLoad(plan: LoadPlan): Promise<Load> {
  const publisher = fork(`${dist}bench/load-publisher.js`, [JSON.stringify(plan)]);
  await heard(publisher, 'ready');
  return {
    send: (messages) => {
      const done = heard(publisher, 'done') as Promise<LoadResult>;
      const at = clock.monotonic();
      publisher.send({ kind: 'go', messages } satisfies Go);
      return { at, done };
    },
    end: () => end(publisher),
  };
}

/** Sends all messages of the plan, and ends the publisher. */
export async function publish(plan: LoadPlan): Promise<{ at: number; done: Promise<LoadResult> }> {
  const load = await openLoad(plan);
  const { at, done } = load.send(plan.messages);
  return { at, done: done.finally(() => load.end()) };
}

/** The child's next message of a kind. */
export function heard(child: ChildProcess, kind: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: { kind: string }) => {
      if (message.kind !== kind) return;
      child.off('message', onMessage);
      resolve(message);
    };
    child.on('message', onMessage);
    child.once('exit', (code) => reject(new Error(`ended with ${code} before "${kind}"`)));
  });
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

export async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-bench-'));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
