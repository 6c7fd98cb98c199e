/** A Mosquitto of a test's own, as Debian installs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mosquittoProgram } from './debian-part.ts';
import { end, freePort, listening } from './process.ts';
import type { Workspace } from './workspace.ts';

export interface Mosquitto {
  /** MQTT over TCP. */
  readonly port: number;
  /** Ends all connections, as a restart or a bad line does; sessions stay. */
  drop(): Promise<void>;
}

/** @param more lines of its configuration after those of the listener for TCP. */
export async function startMosquitto(
  workspace: Workspace,
  more: readonly string[] = [],
): Promise<Mosquitto> {
  const folder = workspace.folder();
  const port = await freePort();
  const configuration = join(folder, 'mosquitto.conf');
  const lines = [
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    `listener ${port} 127.0.0.1`,
    ...more,
    '',
  ];
  writeFileSync(configuration, lines.join('\n'));
  let running: ChildProcess;
  const start = async () => {
    running = spawn(mosquittoProgram, ['-c', configuration], { stdio: 'ignore' });
    await listening(port);
  };
  await start();
  workspace.onEnd(() => end(running));
  return {
    port,
    drop: async () => {
      await end(running);
      await start();
    },
  };
}
