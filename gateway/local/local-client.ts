/** The CLI's side of the daemon's Unix socket. */
import { request } from 'node:http';
import { errorOfBody } from '../../shared/runtime/error-answer.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

/**
 * @param deadline_ms of silence; scans and large answers take their time.
 * @throws FootbridgeError not_running when nobody listens, not_answering when an answer does not come or
 *   breaks off, or the daemon's own error.
 */
export async function askDaemon<T>(
  socket: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  deadline_ms = 120_000,
): Promise<T> {
  const answer = await send(socket, method, path, { body, deadline_ms });
  if (answer.status === 200) return JSON.parse(answer.body) as T;
  throw errorOfBody(answer.body) ?? new FootbridgeError('internal', answer.body.slice(0, 200));
}

function send(
  socketPath: string,
  method: string,
  path: string,
  { body, deadline_ms }: { body: unknown; deadline_ms: number },
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ socketPath, method, path, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
      // A daemon that ends meanwhile: nothing else would be told, and the command would wait in vain.
      answer.on('error', (cause) => {
        const detail = `${socketPath}: the answer broke off (${cause.message})`;
        reject(new FootbridgeError('not_answering', detail, { cause }));
      });
    });
    sent.setTimeout(deadline_ms, () => {
      const detail = `${socketPath}: no answer in ${deadline_ms / 1000} s`;
      sent.destroy(new FootbridgeError('not_answering', detail));
    });
    sent.on('error', (cause) => {
      if (cause instanceof FootbridgeError) return reject(cause);
      const { code } = cause as NodeJS.ErrnoException;
      const detail = `${socketPath}: ${cause.message}`;
      // Without the right to the socket nothing is known about the daemon; it may well run.
      const hint = 'Use an account of the group that owns the socket, or sudo.';
      const error =
        code === 'EACCES'
          ? new FootbridgeError('not_permitted', detail, { cause, hint })
          : new FootbridgeError('not_running', detail, { cause });
      return reject(error);
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
