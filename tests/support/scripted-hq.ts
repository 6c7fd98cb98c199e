/** The far end of the line, word for word as a test says, and a store whose lanes deliver to it. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { newMeterState } from '../../gateway/meters/meter.ts';
import type { Credential } from '../../gateway/sync/credential.ts';
import { HqClient } from '../../gateway/sync/hq-client.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type Batch, batchSchema } from '../../shared/wire/batch.ts';
import type { Workspace } from './workspace.ts';

export interface Posted {
  readonly batch: Batch;
  /** As sent, in base64. */
  readonly bytes: string;
  readonly lane: string | undefined;
}
export interface Reply {
  readonly status: number;
  /** A text goes as it is, anything else as JSON. */
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}
/** What the line does with a batch: null breaks it off without an answer. */
export type Script = (
  posted: Posted,
  all: readonly Posted[],
) => Promise<Reply | null> | Reply | null;

export const accepted = ({ batch }: Posted, more: object = {}): Reply => ({
  status: 200,
  body: {
    batch_id: batch.batch_id,
    accepted: batch.counts.sequence.length,
    duplicate: 0,
    rejected: [],
    ack_sequence: 0,
    ...more,
  },
});
export const refusal = (
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Reply => ({ status, headers, body: { error: { code, message: 'm', hint: 'h' } } });

export async function scriptedHq(
  workspace: Workspace,
  script: Script,
): Promise<{ url: string; posted: Posted[] }> {
  const posted: Posted[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const batch = batchSchema.parse(JSON.parse(gunzipSync(bytes).toString()));
    const lane = request.headers['footbridge-lane']?.toString();
    const one = { batch, bytes: bytes.toString('base64'), lane };
    posted.push(one);
    const reply = await script(one, posted);
    if (reply === null) {
      request.socket.destroy();
      return;
    }
    const { status, headers, body } = reply;
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  workspace.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, posted };
}

/** A buffer on disk with so many readings, and what delivers them. */
export async function storeWith(workspace: Workspace, readings: number, url: string) {
  const noon = Date.UTC(2026, 0, 15, 12);
  const { buffer } = await ReadingBuffer.open({
    path: join(workspace.folder(), 'buffer.sqlite'),
    mode: 'prompt',
    quota_bytes: Number.POSITIVE_INFINITY,
    clock: systemClock,
    log: silentLog,
  });
  let counted = 0;
  const entry = () => {
    counted += 1;
    const observed_at = noon + counted * 1_000;
    const times = { observed_at, interval_s: 1, received_at: observed_at + 1_000, flags: 0 };
    const reading = { kind: 'count' as const, sensor_id: 'door', ...times, in: 1, out: 0 };
    const meter = { sensor_id: 'door', state: newMeterState };
    return { readings: [reading], dedupe_key: null, meter, quarantined: [] };
  };
  const count = (times: number) => buffer.append(Array.from({ length: times }, entry));
  await count(readings);
  const client = new HqClient(url, systemClock);
  const names = { organization: 'o', store: 's', timezone: 'Europe/Madrid' };
  const ids = { gateway_id: systemClock.uuid(), credential_id: systemClock.uuid() };
  const credential: Credential = { hq_url: url, secret: 'secret', ...names, ...ids };
  workspace.onEnd(async () => {
    client.close();
    await buffer.close();
  });
  return { buffer, client, credential, count };
}

/** Sequences of all batches that were posted, each batch once. */
export function sequencesOf(posted: readonly Posted[]): number[] {
  const batches = new Map(posted.map(({ batch }) => [batch.batch_id, batch.counts.sequence]));
  return [...batches.values()].flat().sort((a, b) => a - b);
}
