/** One request of the doctor's own to HQ: the sync loop's last error may be a quarter hour old. */
import { get as getPlain, type IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import { text } from 'node:stream/consumers';
import { errorText } from '../../shared/runtime/errors.ts';
import type { HqProbe } from './evidence.ts';

const deadline_ms = 8_000;

/** Not by `fetch`, which takes a proxy's 407 for no answer at all. */
export async function probeHq(hq_url: string): Promise<HqProbe> {
  try {
    const answer = await get(`${hq_url.replace(/\/+$/, '')}/livez`);
    const { statusCode: status = 0, headers } = answer;
    const by = String(headers['via'] ?? headers['server'] ?? '');
    const is_hq = isLivez(status, await text(answer));
    return { kind: 'answer', status, is_hq, by };
  } catch (error) {
    return { kind: 'failed', error: errorText(error) };
  }
}

function get(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = url.startsWith('https:') ? getSecure(url, resolve) : getPlain(url, resolve);
    asked.on('error', reject);
    asked.setTimeout(deadline_ms, () => asked.destroy(new Error('no answer in 8 s')));
  });
}

/** A login page answers 200 as well, with something else. */
function isLivez(status: number, body: string): boolean {
  try {
    return status === 200 && (JSON.parse(body) as { status?: unknown }).status === 'ok';
  } catch {
    return false;
  }
}
