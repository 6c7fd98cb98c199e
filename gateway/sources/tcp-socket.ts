/** One TCP connection to a device: had within a deadline, and its loss is a signal. */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../shared/runtime/clock.ts';

const connect_timeout_ms = 5_000;

/** Throws when it cannot be had. */
export async function connectedSocket(
  host: string,
  port: number,
  clock: Clock,
  stop: AbortSignal,
): Promise<{ readonly socket: Socket; readonly lost: AbortSignal }> {
  const socket = connect({ host, port, noDelay: true, keepAlive: true });
  const losing = new AbortController();
  let error = new Error(`${host}:${port} closed the connection`);
  socket.on('error', (cause) => {
    error = cause;
  });
  socket.on('close', () => losing.abort(error));
  const giveUp = () => socket.destroy();
  stop.addEventListener('abort', giveUp);
  await new Promise<void>((resolve) => {
    const cancelDeadline = clock.after(connect_timeout_ms, () => {
      socket.destroy(new Error(`${host}:${port} did not answer in ${connect_timeout_ms} ms`));
    });
    const settle = () => {
      cancelDeadline();
      resolve();
    };
    socket.once('connect', settle);
    socket.once('close', settle);
  });
  stop.removeEventListener('abort', giveUp);
  if (losing.signal.aborted) throw error;
  return { socket, lost: losing.signal };
}
