/**
 * Tells systemd that the service is ready, alive and stopping (sd_notify(3)).
 *
 * Node has no datagram Unix sockets, so systemd's own `systemd-notify` sends the message; the unit
 * allows that with NotifyAccess=all. Outside systemd nothing is sent, and a failure to send is
 * never a reason to stop counting.
 */
import { execFile } from 'node:child_process';
import type { Clock } from './clock.ts';
import type { Part } from './lifecycle.ts';

export interface NotifyEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
}

/**
 * The last part to start and the first to stop. Feeds the watchdog at a third of its time, when
 * `makesProgress()` says yes: what it waits for must come back, so a process that hangs is restarted.
 */
export function sdNotify(options: {
  environment: NotifyEnvironment;
  makesProgress: () => boolean | Promise<boolean>;
  clock: Clock;
}): Part {
  const { environment, makesProgress, clock } = options;
  const listening = environment.NOTIFY_SOCKET !== undefined;
  const watchdog_ms = Number(environment.WATCHDOG_USEC ?? 0) / 1000;
  let cancel = () => {};

  const feed = async () => {
    cancel = clock.after(watchdog_ms / 3, () => void feed());
    if (await makesProgress()) send('WATCHDOG=1');
  };

  return {
    name: 'sd-notify',
    start() {
      if (!listening) return;
      send('--ready');
      if (watchdog_ms > 0) void feed();
    },
    stop() {
      cancel();
      if (listening) send('STOPPING=1');
    },
  };
}

function send(message: string): void {
  execFile('systemd-notify', [`--pid=${process.pid}`, message], () => {});
}
