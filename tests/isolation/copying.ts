/** COPY speaks a protocol of its own, so these attempts go over the wire one by one. */
import { sqlState } from '../../cloud-sync/db/pool.ts';
import type { Identity } from './identities.ts';
import { become, limitsOf } from './identities.ts';
import type { Failure } from './probe.ts';
import type { Stage } from './suite.ts';

export async function copyFailures(stage: Stage): Promise<{ cases: number; failures: Failure[] }> {
  const failures: Failure[] = [];
  let cases = 0;
  for (const identity of stage.everybody) {
    for (const relation of stage.relations) {
      const organization = relation.axes.organization;
      const limits = limitsOf(identity, relation, 'select');
      // What a COPY of everything brings along beyond the own organization.
      const foreign =
        organization === undefined || limits === 'never' || !limits.includes('organization')
          ? limits === 'never' && 'true'
          : `${organization} <> '${stage.world.own.organization}'`;
      const attempts = [
        ...(foreign === false
          ? []
          : [`copy (select 1 from ${relation.name} where ${foreign}) to stdout`]),
        `copy ${relation.name} from stdin`,
      ];
      for (const attempt of attempts) {
        cases++;
        const detail = await reached(stage, identity, attempt);
        if (detail !== undefined) {
          failures.push({ kind: 'leak', attempt: `${identity.name}: ${attempt}`, detail });
        }
      }
    }
  }
  return { cases, failures };
}

/** What the server gave or would have taken; undefined when it refused or had nothing. */
async function reached(
  stage: Stage,
  identity: Identity,
  attempt: string,
): Promise<string | undefined> {
  await stage.query(`begin; ${become(identity)}`);
  try {
    const rows = await stage.copied(attempt);
    return rows > 0 ? `${rows} rows` : undefined;
  } catch (error) {
    // The client has nothing to send and breaks off (57014) where the server was ready to take it.
    const state = sqlState(error);
    return state === '42501' || state === '0A000' || state === '42809'
      ? undefined
      : `${state} ${error}`;
  } finally {
    await stage.query('rollback');
  }
}
