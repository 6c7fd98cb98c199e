/** The configured page, put together: status and live counts → state → server. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { PageConfig } from '../config/config.ts';
import type { Tally } from '../meters/tally.ts';
import type { GatewayStatus } from '../status.ts';
import { renderGatewayMetrics } from './gateway-metrics.ts';
import { PinLock } from './page-access.ts';
import { PageServer, type PageStatus } from './page-server.ts';
import { pageState } from './page-state.ts';
import type { WalkTests } from './walk-tests.ts';

export interface PageParts {
  readonly status: () => Promise<GatewayStatus>;
  readonly tally: Tally;
  readonly walkTests: WalkTests;
  readonly clock: Clock;
  readonly log: Log;
}

const closed: PageStatus = { url: null, error: null };

/** @throws FootbridgeError config_invalid when the PIN cannot be read or is none. */
export function openPage(config: PageConfig, parts: PageParts): Part & { status(): PageStatus } {
  const { status, tally, walkTests, clock, log } = parts;
  if (!config.enabled)
    return { name: 'page', start: () => {}, stop: () => {}, status: () => closed };
  const { host, port, pin_file } = config;
  return new PageServer({
    host,
    port,
    hostname: hostname(),
    lock: pin_file === undefined ? null : new PinLock(readPin(pin_file), clock),
    state: async () => pageState(await status(), tally.list(), walkTests.status()),
    metrics: async () =>
      renderGatewayMetrics(await status(), { resident_bytes: process.memoryUsage.rss() }),
    clock,
    log,
  });
}

function readPin(path: string): string {
  let pin: string;
  try {
    pin = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new FootbridgeError('config_invalid', `page.pin_file: ${errorText(cause)}`, { cause });
  }
  if (/^\S{4,64}$/.test(pin)) return pin;
  const detail = `page.pin_file: ${path} holds no PIN; it takes 4 to 64 characters without spaces`;
  throw new FootbridgeError('config_invalid', detail);
}
