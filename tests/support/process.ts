/** Runs the built commands as separate processes, as a person or systemd does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../shared/runtime/clock.ts';

export { freePort } from '../../demo/free-port.ts';

const dist = fileURLToPath(new URL('../../', import.meta.url));
export const entry = {
  footbridge: `${dist}gateway/cli/footbridge.js`,
  'footbridge-hq': `${dist}cloud-sync/cli/footbridge-hq.js`,
};
type CommandName = keyof typeof entry;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export function command(name: CommandName, ...parameters: string[]): Promise<Finished> {
  return commandIn({}, name, ...parameters);
}

/** Runs a command to its end, with these variables added to the environment. */
export async function commandIn(
  environment: NodeJS.ProcessEnv,
  name: CommandName,
  ...parameters: string[]
): Promise<Finished> {
  const child = spawn(process.execPath, [entry[name], ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** Runs a command and parses its one JSON document. */
export async function jsonOf<T>(name: CommandName, ...parameters: string[]): Promise<T> {
  const { code, stdout, stderr } = await command(name, ...parameters, '--json');
  if (code !== 0) throw new Error(`${name} ${parameters.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Starts a service; stop it with {@link end}. Its log appears when `FOOTBRIDGE_TEST_LOG` is set. */
export function service(name: CommandName, ...parameters: string[]): ChildProcess {
  const log = process.env['FOOTBRIDGE_TEST_LOG'] === undefined ? 'ignore' : 'inherit';
  return spawn(process.execPath, [entry[name], ...parameters], {
    stdio: ['ignore', 'ignore', log],
  });
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'exit');
  child.kill(signal);
  await closed;
}

const listening_look_ms = 20;

/** Resolves when somebody listens on the port. While all of us stand still, no time passes. */
export async function listening(port: number, within_ms = 10_000): Promise<void> {
  for (let waited_ms = 0; waited_ms < within_ms; waited_ms += listening_look_ms) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await systemClock.sleep(listening_look_ms);
  }
  throw new Error(`nobody listens on port ${port} after ${within_ms} ms`);
}
