/** Starts the parts of the demo as the separate processes they are in real life. */
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../', import.meta.url));
const commands = {
  footbridge: `${dist}gateway/cli/footbridge.js`,
  'footbridge-hq': `${dist}cloud-sync/cli/footbridge-hq.js`,
};
type Command = keyof typeof commands;

/** Ctrl-C goes to the demo alone (`detached`): it first lets the counts arrive, then ends the rest. */
const apart: SpawnOptions = { detached: true, stdio: ['ignore', 'ignore', 'inherit'] };

/** A service that runs until it is ended. Its log goes to stderr from the given level on. */
export function startService(command: Command, parameters: readonly string[]): ChildProcess {
  return spawn(process.execPath, [commands[command], ...parameters], apart);
}

/** Runs a command to its end and gives its JSON document. */
export async function run<T>(command: Command, parameters: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, [commands[command], ...parameters, '--json'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) {
    throw new Error(`${command} ${parameters.join(' ')} ended with ${code}: ${output.stderr}`);
  }
  return JSON.parse(output.stdout) as T;
}

/** A process of the demo's own that answers over IPC. */
export class Helper<Request, Answer extends { readonly kind: string }> {
  readonly #child: ChildProcess;

  constructor(module: string, parameter?: unknown) {
    const parameters = parameter === undefined ? [] : [JSON.stringify(parameter)];
    this.#child = fork(`${dist}demo/${module}`, parameters, { detached: true });
  }

  tell(request: Request): void {
    this.#child.send(request as object);
  }

  /** The next answer of this kind. Fails when the process ends without it. */
  hear<K extends Answer['kind']>(kind: K): Promise<Extract<Answer, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const leave = () => this.#child.off('message', onMessage).off('exit', onExit);
      const onMessage = (answer: Answer) => {
        if (answer.kind !== kind) return;
        leave();
        resolve(answer as Extract<Answer, { kind: K }>);
      };
      const onExit = (code: number | null) => {
        leave();
        reject(new Error(`ended with ${code} before "${kind}"`));
      };
      this.#child.on('message', onMessage).on('exit', onExit);
    });
  }

  end(): Promise<void> {
    return end(this.#child, 'SIGKILL');
  }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
