import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { seedColumns } from '../support/seed-columns.ts';

describeOnEngines('the seed schema', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  it.each(Object.entries(seedColumns))('can be read as before: %s', async (table, columns) => {
    const list = columns
      .split(' ')
      .map((column) => `t.${column}`)
      .join(', ');
    // As a person: the computed columns need rights of their own.
    const rows = await hq.db.inTenant({}, 'authenticated', ({ query }) =>
      query(`select ${list} from ${table} t`),
    );
    expect(rows).toEqual([]);
  });
});
