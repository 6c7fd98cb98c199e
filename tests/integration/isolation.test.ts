/** A tenth of `npm run isolation`, and proof that it would notice. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { foreignKeyFailures } from '../isolation/foreign-keys.ts';
import { conjunctsOf } from '../isolation/mutants.ts';
import { judgeStage, onStage, withEveryRight } from '../isolation/suite.ts';
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
  beforeEach(async () => {
    hq = await openTestDatabase(engine);
  });
  afterEach(() => hq.close());

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

  it('notices a foreign key that answers for rows of other organizations', async () => {
    const before = `create table public.newcomer (organization_id uuid not null,
        login text references app.bi_logins (login));
      alter table public.newcomer enable row level security;
      create policy newcomer_insert on public.newcomer for insert to app_operator
        with check (organization_id = (select app.organization_id()))`;
    const { failures } = await onStage(
      hq,
      (stage) => withEveryRight(stage, () => foreignKeyFailures(stage)),
      { before, pick: () => false },
    );
    expect(failures.map(({ attempt, detail }) => `${attempt}, ${detail}`)).toEqual([
      'app_operator: probes newcomer_login_fkey, a row of others: stored; no row at all: 23503',
    ]);
  }, 120_000);
});

describe('a policy', () => {
  it('is broken at its outermost conjunctions', () => {
    expect(conjunctsOf('((a = ( SELECT b() AS b)) AND (( SELECT c() AS c) OR (d AND e)))')).toEqual(
      ['(a = ( SELECT b() AS b))', '(( SELECT c() AS c) OR (d AND e))'],
    );
    expect(conjunctsOf('(a = b)')).toEqual(['a = b']);
  });
});
