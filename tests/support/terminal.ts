/** A command on a pseudo-terminal, as a person uses it. */
import { spawn } from 'node-pty';
import { eventually } from './frames.ts';
import { entry } from './process.ts';
import type { Workspace } from './workspace.ts';

export interface Terminal {
  /** Everything shown so far, without colours. */
  shown(): string;
  type(text: string): void;
  /** Resolves when the text is shown. */
  until(text: string | RegExp): Promise<void>;
  /** The exit code. */
  readonly ended: Promise<number>;
}

export function terminal(workspace: Workspace, ...parameters: string[]): Terminal {
  let output = '';
  const child = spawn(process.execPath, [entry.footbridge, ...parameters], { cols: 200, rows: 50 });
  child.onData((chunk) => {
    output += chunk;
  });
  let running = true;
  const ended = new Promise<number>((resolve) => {
    child.onExit(({ exitCode }) => {
      running = false;
      resolve(exitCode);
    });
  });
  workspace.onEnd(() => {
    if (running) child.kill();
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal is sent.
  const shown = () => output.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '');
  return {
    shown,
    type: (text) => child.write(text),
    until: async (text) => {
      const holds = () => (typeof text === 'string' ? shown().includes(text) : text.test(shown()));
      try {
        await eventually(String(text), holds, 10_000);
      } catch (error) {
        throw new Error(`${(error as Error).message}; shown:\n${shown()}`);
      }
    },
    ended,
  };
}
