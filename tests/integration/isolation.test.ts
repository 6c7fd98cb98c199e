/** A tenth of `npm run isolation`, and proof that it would notice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conjunctsOf } from '../isolation/mutants.ts';
import { judgeStage, onStage } from '../isolation/suite.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

describeOnEngines('every way past the tenant wall', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  it('is closed, and the way to one’s own is open', { timeout: 120_000 }, async () => {
    let n = 0;
    const verdict = await onStage(hq, judgeStage, { pick: () => n++ % 10 === 0 });
    expect(verdict.failures).toEqual([]);
    expect(verdict.cases).toBeGreaterThan(5_000);
  });
});

describeOnEngines('the isolation suite', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  it('notices a new table without policies by itself', { timeout: 120_000 }, async () => {
    const before = `create table public.newcomer (organization_id uuid not null,
      store_id uuid not null, note text); grant select on public.newcomer to authenticated`;
    const verdict = await onStage(hq, judgeStage, {
      before,
      pick: ({ relation }) => relation === 'public.newcomer',
    });
    const found = verdict.failures.map(({ kind, attempt }) => `${kind} ${attempt}`);
    expect(found).toContain('leak newcomer');
    expect(found).toContain('leak viewer: select public.newcomer, other store, plain');
    expect(found).toContain('leak viewer: select public.newcomer, other organization, plain');
  });
});

describe('a policy', () => {
  it('is broken at its outermost conjunctions', () => {
    expect(conjunctsOf('((a = ( SELECT b() AS b)) AND (( SELECT c() AS c) OR (d AND e)))')).toEqual(
      ['(a = ( SELECT b() AS b))', '(( SELECT c() AS c) OR (d AND e))'],
    );
    expect(conjunctsOf('(a = b)')).toEqual(['a = b']);
  });
});
