import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  day_columns,
  dayRow,
  total_columns,
  totalRow,
} from '../../cloud-sync/cli/report-tables.ts';
import { daysOf, totalsOf } from '../../cloud-sync/reports/days.ts';
import { markForRebuild } from '../../cloud-sync/rollups/mark-hours.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase, packageRoot } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';

const page = readFileSync(path.join(packageRoot, 'docs/hours-by-hand.md'), 'utf8');

/** The cells of a fenced table: two spaces or more stand between them. */
function table(name: string): string[][] {
  const [, body = ''] = new RegExp(`\`\`\`${name}\\n([^]*?)\`\`\``).exec(page) ?? [];
  return body
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
}

const cells = (row: (string | number | null)[]) => row.map((cell) => String(cell ?? '-'));

describeOnEngines('the worked example of docs/hours-by-hand.md', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    const months = (new Date().getUTCFullYear() - 2026) * 12 + new Date().getUTCMonth() - 9;
    await hq.asOwner('select app.ensure_partitions($1, 3)', [Math.max(3, months + 1)]);
  });
  afterAll(() => hq.close());

  it('is what HQ says', async () => {
    const store = await addTestStore(hq, { timezone: 'Europe/Madrid' });
    const { organization, store_id } = store;
    await hq.asOwner(
      `insert into store_hours
       select $1, $2, d, '10:00', '13:00' from generate_series(1, 7) d`,
      [organization.id, store_id],
    );
    for (const door of ['front-door', 'back-door']) await addLine(hq, store, door);
    for (const [sensor_id = '', from, minutes, ins, outs] of table('readings').slice(1)) {
      const last = Number(minutes) - 1;
      const readings = Array.from({ length: Number(minutes) }, (_, i) => ({
        sensor_id,
        at: Date.parse(`${from}:00Z`) + i * 60_000,
        in: i === 0 ? Number(ins) : 0,
        out: i === last ? Number(outs) : 0,
      }));
      await insertCounts(hq, store, readings);
    }
    // The whole two days, also the hours in which nothing arrived.
    await hq.asOwner(
      `insert into app.rollup_dirty (organization_id, store_id, bucket)
       select $1, $2, h from generate_series('2026-10-23T22:00Z'::timestamptz,
         '2026-10-25T22:00Z', '1 hour') h on conflict do nothing`,
      [organization.id, store_id],
    );
    await rollEverything(hq.db, Date.parse('2026-10-27T00:00Z'));

    const { user_id } = await addUser(hq.db, organization, {
      email: 'mar@acme.example',
      role: 'store_manager',
      stores: [store.code],
    });
    const person = { user_id, organization_id: organization.id };
    const weekend = async () =>
      (await daysOf(hq.db, person, store.code)).days.filter(({ date }) => date >= '2026-10-24');
    const days = await weekend();
    expect([day_columns, ...days.map(dayRow).map(cells)]).toEqual(table('days'));
    const { hours } = await totalsOf(hq.db, person, store.code, {
      from: new Date('2026-10-24T22:00Z'),
    });
    const told = hours.filter((one) => one.total_in + one.total_out > 0 || one.status !== 'closed');
    expect([total_columns, ...told.map(totalRow).map(cells)]).toEqual(table('totals'));

    await markForRebuild(hq.db, organization.id);
    await rollEverything(hq.db, Date.parse('2026-10-27T00:00Z'));
    expect(await weekend()).toEqual(days);

    // The back door's readings arrive after all.
    const late = Array.from({ length: 120 }, (_, i) => ({
      sensor_id: 'back-door',
      at: Date.parse('2026-10-25T10:00Z') + i * 60_000,
      in: i === 0 ? 9 : 0,
    }));
    await insertCounts(hq, store, late);
    await rollEverything(hq.db, Date.parse('2026-10-27T00:00Z'));
    expect(await weekend()).toMatchObject([
      {},
      { total_footfall: 53, estimated_in: 4, coverage: expect.closeTo(0.9167, 3) },
    ]);
  });
});
