/** A gateway's disk put back from an older image, seen from HQ: what went with it stands in the ledger. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { listLosses } from '../../cloud-sync/gateways/losses.ts';
import type { EpochReport } from '../../shared/wire/heartbeat.ts';
import { epochs_max } from '../../shared/wire/heartbeat-limits.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, enrollTestGateway, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { tellHq } from '../support/told-hq.ts';

describeOnEngines('lost with an image', (engine) => {
  let hq: Hq;
  let store: TestStore;
  let gateway: TestGateway;
  beforeAll(async () => {
    hq = await openHq(engine);
  });
  afterAll(() => hq.close());
  beforeEach(async () => {
    store = await addTestStore(hq);
    gateway = await enrollTestGateway(hq, store);
  });

  const part = (first_sequence: number, last_sequence: number, epoch = randomUUID()) =>
    ({ epoch, first_sequence, last_sequence }) satisfies EpochReport;
  const reaching = (one: EpochReport, last_sequence: number) => ({ ...one, last_sequence });
  const tell = (epochs: EpochReport[] | undefined, from: TestGateway = gateway) =>
    tellHq(hq, from, epochs === undefined ? { epoch: gateway.epoch } : { epochs });
  const settle = (one: EpochReport, first: number, last: number) =>
    gateway.send(batch(one, [count(last)], { first_sequence: first, last_sequence: last }));
  const lost = async (of = store) => {
    const rows = await listLosses(hq.db, of.organization);
    return Object.fromEntries(rows.map((row) => [row.epoch, row.count]));
  };

  it('is what was told once, is in the log no more, and not at HQ', async () => {
    const before = part(1, 100);
    await tell([before]);
    await settle(before, 1, 70);
    await settle(before, 81, 90);
    await tell([reaching(before, 60), part(61, 65)]);
    const [row, ...others] = await listLosses(hq.db, store.organization);
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      source: 'disk',
      reason: 'lost_with_image',
      epoch: before.epoch,
      // 71 to 80 and 91 to 100: from the image on, without what HQ has.
      count: 20,
    });
  });

  it('is looked for as far as HQ has settled, where that is further than what was told', async () => {
    const before = part(1, 10);
    await tell([before]);
    await settle(before, 31, 40);
    await tell([reaching(before, 8), part(9, 9)]);
    expect(await lost()).toEqual({ [before.epoch]: 22 });
  });

  it('is a whole process of which the image knows nothing', async () => {
    const early = part(1, 40);
    const late = part(41, 100);
    await tell([early, late]);
    await settle(late, 41, 60);
    const now = part(41, 41);
    await tell([early, now]);
    expect(await lost()).toEqual({ [late.epoch]: 40 });
    // Also where the log was empty when the image was made.
    const gone = part(1, 7);
    const other = await addTestStore(hq);
    const fresh = await enrollTestGateway(hq, other);
    await tell([gone], fresh);
    await tell([part(1, 2)], fresh);
    expect(await lost(other)).toEqual({ [gone.epoch]: 7 });
  });

  it('is nothing while a log loses its oldest parts, grows and is delivered', async () => {
    const [first, second, third] = [part(1, 40), part(41, 50), part(51, 52)];
    await tell([first]);
    await tell([first, second]);
    await tell([first, reaching(second, 60)]);
    await tell([{ ...second, last_sequence: 60 }, part(61, 60)]);
    await tell([{ ...second, first_sequence: 55, last_sequence: 60 }, third]);
    expect(await lost()).toEqual({});
  });

  it('is fewer when a younger image or the disk itself comes back, down to nothing', async () => {
    const before = part(1, 100);
    await tell([before]);
    await tell([reaching(before, 40), part(41, 41)]);
    expect(await lost()).toEqual({ [before.epoch]: 60 });
    const middle = part(81, 81);
    await tell([reaching(before, 80), middle]);
    expect(await lost()).toMatchObject({ [before.epoch]: 20 });
    await tell([before]);
    expect((await lost())[before.epoch]).toBeUndefined();
  });

  it('is fewer when another life of the buffer delivers what was in both', async () => {
    const before = part(1, 100);
    await tell([before]);
    const now = part(41, 41);
    await tell([reaching(before, 40), now]);
    await settle(before, 41, 100);
    await tell([reaching(before, 40), now]);
    expect(await lost()).toEqual({});
  });

  it('is never told of the process that is still writing', async () => {
    const now = part(1, 100);
    await tell([now]);
    await tell([reaching(now, 50)]);
    expect(await lost()).toEqual({});
  });

  it('is written once for however many heartbeats', async () => {
    const before = part(1, 100);
    await tell([before]);
    const now = part(41, 41);
    await tell([reaching(before, 40), now]);
    const written = () =>
      hq.asOwner(
        `select l.xmin, e.xmin as epoch_xmin from app.gateway_losses l
         join app.gateway_epochs e on e.epoch = l.epoch where l.epoch = $1`,
        [before.epoch],
      );
    const once = await written();
    await tell([reaching(before, 40), now]);
    expect(await written()).toEqual(once);
  });

  it('is found for nobody else: another gateway of the store, another store', async () => {
    const before = part(1, 100);
    await tell([before]);
    const beside = await enrollTestGateway(hq, store);
    await tell([part(1, 3)], beside);
    const { organization } = store;
    const elsewhere = await enrollTestGateway(hq, await addTestStore(hq, { organization }));
    await tell([reaching(before, 40), part(41, 41)], elsewhere);
    expect(await lost()).toEqual({});
    const [row] = await hq.asOwner<{ last_sequence: number }>(
      'select last_sequence from app.gateway_epochs where epoch = $1 and store_id = $2',
      [before.epoch, store.store_id],
    );
    expect(row).toEqual({ last_sequence: 100 });
  });

  it('is found by the gateway that an image had to be enrolled as, once', async () => {
    const early = part(1, 40);
    const late = part(41, 100);
    await tell([early, late]);
    await settle(late, 41, 60);
    const former = gateway;
    const anew = await enrollTestGateway(hq, store);
    const now = part(31, 31);
    await tell([reaching(early, 30), now], anew);
    expect(await lost()).toEqual({ [early.epoch]: 10, [late.epoch]: 40 });
    const again = await enrollTestGateway(hq, store);
    await tell([reaching(early, 30), reaching(now, 32), part(33, 33)], again);
    expect(await lost()).toEqual({ [early.epoch]: 10, [late.epoch]: 40 });
    const rows = await listLosses(hq.db, store.organization);
    expect(rows.filter(({ count }) => count > 0)).toHaveLength(2);
    // It only had no line to HQ: the other was a copy of its disk.
    await tell([early, reaching(late, 120)], former);
    await tell([reaching(early, 30), reaching(now, 34)], anew);
    expect(await lost()).toEqual({});
  });

  it('is nothing where a gateway enrols anew with its own log, or beside one whose disk it has', async () => {
    const early = part(1, 40);
    const late = part(41, 100);
    await tell([early, late]);
    const anew = await enrollTestGateway(hq, store);
    const latest = part(105, 105);
    await tell([early, reaching(late, 104), latest], anew);
    const beside = await enrollTestGateway(hq, store);
    await tell([early, reaching(late, 104), reaching(latest, 110)], anew);
    await tell([early, part(41, 45)], beside);
    expect(await lost()).toEqual({});
  });

  it('is looked for in as many epochs as a log may have', async () => {
    const epochs = Array.from({ length: epochs_max }, (_, place) => part(place + 1, place + 1));
    const { status, body } = await tell(epochs);
    expect([status, body.epochs?.length]).toEqual([200, epochs_max]);
    const image = epochs.slice(0, epochs_max / 2);
    await tell([...image, part(image.length + 1, image.length)]);
    expect(Object.keys(await lost())).toHaveLength(epochs_max / 2);
  });
});
