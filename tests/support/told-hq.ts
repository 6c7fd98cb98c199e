/** A heartbeat that says of a gateway what a test is about, and nothing else. */
import { randomUUID } from 'node:crypto';
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Answer, Hq, TestGateway } from './hq.ts';

export function tellHq(
  hq: Hq,
  { authorization }: TestGateway,
  said: Partial<Heartbeat>,
): Promise<Answer<HeartbeatAnswer>> {
  const heartbeat: Heartbeat = {
    version: '0.1.0',
    epoch: said.epochs?.at(-1)?.epoch ?? randomUUID(),
    sent_at: Date.now(),
    buffered: 0,
    oldest_unsent_at: null,
    delivered_at: Date.now(),
    durability: 'fsync',
    sensors: [],
    sources: [],
    quarantined: [],
    ...said,
  };
  return hq.post<HeartbeatAnswer>('/v1/heartbeats', heartbeat, { authorization });
}
