/** `footbridge-hq serve`: the service itself. */
import type { Command } from 'commander';
import { printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { terminationSignal } from '../../shared/runtime/lifecycle.ts';
import { assertMayServe, loginOf } from '../db/server.ts';
import { heartbeat_grace_default_s } from '../health/alert-rules.ts';
import { startService } from '../main.ts';
import { command } from './command.ts';
import type { CommonOptions } from './context.ts';
import { createContext, withDatabase } from './context.ts';

interface ServeOptions extends CommonOptions {
  readonly listen: string;
  readonly heartbeatGraceS: string;
}

export function serveCommand(package_root: string): Command {
  return command('serve', {
    summary: 'Receive batches, keep hours right, watch gateways.',
    example: 'footbridge-hq serve --data-dir /var/lib/footbridge-hq --listen 127.0.0.1:8480',
    json: false,
  })
    .option(
      '--listen <host:port>',
      'address to listen on; port 0 takes a free one',
      '127.0.0.1:8480',
    )
    .option(
      '--heartbeat-grace-s <seconds>',
      'without a heartbeat for this long a gateway is offline',
      String(heartbeat_grace_default_s),
    )
    .action(async (options: ServeOptions) => serve(package_root, options));
}

async function serve(package_root: string, options: ServeOptions): Promise<void> {
  const terminated = terminationSignal();
  const listen = parseListen(options.listen);
  const heartbeat_grace_s = parseSeconds(options.heartbeatGraceS);
  const context = createContext(package_root, options);
  const { clock, config, log } = context;
  await withDatabase(context, async (db, server) => {
    assertMayServe(await loginOf(server.service_url));
    const { notify, mail } = config;
    const service = await startService({ db, listen, heartbeat_grace_s, mail, notify, clock, log });
    const left = new AbortController();
    try {
      printLine(`Listening on ${service.url}`);
      const died = server.embedded?.ended(left.signal).then(() => 'died' as const);
      const cause = await Promise.race(died === undefined ? [terminated] : [terminated, died]);
      if (cause === 'died') {
        throw new FootbridgeError(
          'embedded_failed',
          'the server process ended; systemd restarts us',
        );
      }
      log.info({ signal: cause }, 'stopping');
    } finally {
      left.abort();
      await service.stop();
    }
  });
}

function parseListen(text: string): { host: string; port: number } {
  const [, host, port] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new FootbridgeError('usage', `--listen "${text}": use host:port, such as 127.0.0.1:8480`);
  }
  return { host, port: Number(port) };
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw new FootbridgeError('usage', `--heartbeat-grace-s "${text}": use 1 to 86400`);
  }
  return seconds;
}
