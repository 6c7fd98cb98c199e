/** What a gateway's sync does with HQ, one exchange at a time, on a line that loses and delays. */
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { Lane } from '../../gateway/buffer/entry.ts';
import type { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { type HttpAnswer, outcomeOf } from '../../gateway/sync/outcome.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type Heartbeat, heartbeatAnswerSchema } from '../../shared/wire/heartbeat.ts';
import type { ImageGateway } from './image-gateway.ts';
import { batchRequest, type ImageHq, type Request } from './image-hq.ts';

/** What becomes of a request: answered, or its answer lost, or itself lost, or late. */
export type Fate = 'answered' | 'unanswered' | 'lost' | 'late';

type LogStats = ReturnType<ReadingLog['stats']>;

const rows_max = 40;
const settle_rounds_max = 200;

export class ImageUplink {
  readonly #gateway: ImageGateway;
  readonly #hq: ImageHq;
  /** Requests that still wander through the network. */
  #late: Request[] = [];
  /** Those of them whose disk is gone. */
  #outlived = new Set<Request>();
  /** People of the running total that such a request brought to HQ. */
  outlived_people = 0;
  #instance = systemClock.uuid();
  /** HQ has answered to this process: before, nothing is delivered. */
  #isAnswered = false;
  #heard_at: number | undefined;
  /** Asked, and HQ's answer is on its way: what the gateway does with it. */
  #answering: (() => void) | undefined;

  constructor(gateway: ImageGateway, hq: ImageHq) {
    this.#gateway = gateway;
    this.#hq = hq;
  }

  /** Another process; answers to its predecessor reach nobody. */
  begin(): void {
    this.#instance = systemClock.uuid();
    this.#answering = undefined;
    this.#isAnswered = false;
    this.#heard_at = undefined;
    this.#gateway.log.deliverAs(this.#hq.gateway_id);
  }

  /** Another disk takes the place of the one that these requests came from. */
  loseDisk(): void {
    this.#outlived = new Set(this.#late);
  }

  /** One batch of the lane. @returns whether there was one. */
  async send(lane: Lane, fate: Fate): Promise<boolean> {
    if (!this.#isAnswered) return false;
    const next = this.#gateway.log.nextBatch(lane, {
      rows_max,
      batch_id: systemClock.uuid(),
      held: [],
    });
    if (next === null) return false;
    const answer = await this.#pass(batchRequest(next), fate);
    if (answer !== undefined) this.#settle(next, answer);
    return true;
  }

  /** A heartbeat; its answer is taken at once, or with {@link hear}. */
  async beat(fate: Fate | 'answered later'): Promise<void> {
    const stats = this.#gateway.log.stats();
    const said = heartbeatOf(stats, this.#instance, this.#gateway.now);
    const heartbeat = { ...said, heard_at: this.#heard_at };
    const request = {
      path: '/v1/heartbeats',
      body: Buffer.from(JSON.stringify(heartbeat)),
    } as const;
    const answer = await this.#pass(request, fate === 'answered later' ? 'answered' : fate);
    if (answer?.status !== 200) return;
    const take = () => this.#reconcile(stats, JSON.parse(answer.body));
    if (fate === 'answered later') this.#answering = take;
    else take();
  }

  /** HQ's answer to an earlier heartbeat arrives. */
  hear(): void {
    const take = this.#answering;
    this.#answering = undefined;
    take?.();
  }

  /** What was late arrives at HQ, in any order. */
  async deliverLate(random: () => number): Promise<void> {
    const arriving = this.#late.filter(() => random() < 0.5);
    this.#late = this.#late.filter((request) => !arriving.includes(request));
    for (const request of arriving) {
      const before = this.#outlived.has(request) ? await this.#hq.total() : null;
      await this.#hq.ask(request);
      if (before !== null) this.outlived_people += (await this.#hq.total()) - before;
    }
  }

  /** A line without faults until nothing waits. @returns readings and messages that are left. */
  async finish(): Promise<number> {
    for (let round = 0; round < settle_rounds_max; round += 1) {
      const isStored = this.#gateway.commit();
      await this.beat('answered');
      const sent = [await this.send('live', 'answered'), await this.send('backlog', 'answered')];
      if (!sent.includes(true) && isStored) break;
    }
    await this.deliverLate(() => 0);
    await this.beat('answered');
    await this.beat('answered');
    return this.#gateway.log.stats().buffered + this.#gateway.waiting;
  }

  async #pass(request: Request, fate: Fate) {
    if (fate === 'late') this.#late.push(request);
    if (fate === 'late' || fate === 'lost') return undefined;
    const answer = await this.#hq.ask(request);
    return fate === 'answered' ? answer : undefined;
  }

  #settle(sent: OutgoingBatch, answer: HttpAnswer): void {
    const { log, now } = this.#gateway;
    const { batch, rows } = sent;
    const outcome = outcomeOf(answer, { ...batch, rows });
    if (outcome.kind === 'delivered') log.settle(batch, outcome.answer.rejected, now);
    else if (outcome.kind === 'split' && rows === 1) {
      log.refuse(batch, { code: outcome.code, detail: outcome.detail }, now);
    } else if (outcome.kind === 'split') log.abandon(batch.batch_id);
    else if (outcome.kind === 'refused') throw new Error(outcome.reason);
  }

  #reconcile(stats: LogStats, body: unknown): void {
    const { epochs = [], counted = [], heard_at } = heartbeatAnswerSchema.parse(body);
    const { settled, losses, epochs: told, held } = stats;
    const asked = { epochs: told, settled, losses, held, isFirst: !this.#isAnswered };
    this.#gateway.log.reconcile({ epochs, counted }, { ...asked, now: this.#gateway.now });
    this.#isAnswered = true;
    this.#heard_at ??= heard_at;
  }
}

function heartbeatOf(stats: LogStats, instance: string, now: number): Heartbeat {
  const { epoch, settled_sequence, first_sequence, buffered, oldest_unsent_at, losses } = stats;
  const [epochs, held] = [[...stats.epochs], [...stats.held]];
  return {
    ...{ version: '0.1.0', epoch, sent_at: now, buffered, oldest_unsent_at, delivered_at: now },
    ...{ durability: 'fsync', sensors: [], sources: [], quarantined: [...losses], instance },
    ...{ settled_sequence, first_sequence, epochs, held },
  };
}
