/** One request of the doctor's own to HQ: the sync loop's last error may be a quarter hour old. */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import { type HqTransportOptions, hqAgent } from '../sync/hq-transport.ts';
import type { HqProbe } from './evidence.ts';

/** For all of it: name, connection, and an answer that may come drop by drop. */
const deadline_ms = 8_000;
/** HQ's answer has a few bytes; a login page may have many. */
const answer_bytes_max = 4096;

/**
 * By the way that the readings take, proxy and authority included. Not by `fetch`, which takes a
 * proxy's 407 for no answer at all.
 *
 * @returns null where this account may not read what the way needs.
 */
export async function probeHq(
  hq_url: string,
  way: HqTransportOptions,
  clock: Clock,
): Promise<HqProbe | null> {
  const url = new URL(`${hq_url.replace(/\/+$/, '')}/livez`);
  const agent = agentOf(url, way);
  if (agent === null) return null;
  const deadline = new AbortController();
  const late = new Error(`no answer in ${deadline_ms / 1000} s`);
  const cancel = clock.after(deadline_ms, () => deadline.abort(late));
  try {
    const answer = await get(url, agent, deadline.signal);
    const { statusCode: status = 0, headers } = answer;
    const by = String(headers['via'] ?? headers['server'] ?? '');
    return { kind: 'answer', status, is_hq: isLivez(status, await headOf(answer)), by };
  } catch (error) {
    return { kind: 'failed', error: errorText(deadline.signal.aborted ? late : error) };
  } finally {
    cancel();
    agent.destroy();
  }
}

function agentOf(url: URL, way: HqTransportOptions): http.Agent | null {
  try {
    return hqAgent(url, way);
  } catch {
    return null;
  }
}

function get(url: URL, agent: http.Agent, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http;
    client.get(url, { agent, signal }, resolve).on('error', reject);
  });
}

async function headOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > answer_bytes_max) break;
  }
  return Buffer.concat(chunks).toString();
}

/** A login page answers 200 as well, with something else. */
function isLivez(status: number, body: string): boolean {
  try {
    return status === 200 && (JSON.parse(body) as { status?: unknown }).status === 'ok';
  } catch {
    return false;
  }
}
