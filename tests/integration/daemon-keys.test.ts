/** Keys of a running daemon at a real HQ: replaced, revoked, handed over by systemd, copied. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { revokeGateway } from '../../cloud-sync/gateways/registry.ts';
import { requestRotation } from '../../cloud-sync/gateways/rotate.ts';
import type { Credential } from '../../gateway/sync/credential.ts';
import { toBatch } from '../../shared/wire/batch.ts';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import {
  addTestStore,
  eventually,
  gzip,
  type Hq,
  inviteTo,
  openHq,
  type TestStore,
} from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 90_000 });
const workspace = new Workspace();

describe('keys of a running daemon', () => {
  let hq: Hq;
  let store: TestStore;
  beforeAll(async () => {
    hq = await openHq(anyEngine);
  });
  afterAll(() => hq.close());

  async function counting(): Promise<DaemonAtHq> {
    store = await addTestStore(hq);
    const daemon = await DaemonAtHq.at(hq, store, workspace);
    await daemon.start();
    await daemon.count(1);
    await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 1);
    return daemon;
  }
  /** Status of the answer to a batch without readings under this key. */
  const answered = async ({ credential_id, secret }: Credential) => {
    const range = { first_sequence: 1, last_sequence: 1 };
    const empty = toBatch({ batch_id: randomUUID(), epoch: randomUUID(), ...range }, []);
    const authorization = `Bearer fbg_${credential_id}_${secret}`;
    const headers = { authorization, 'content-encoding': 'gzip' };
    return (await hq.post('/v1/batches', gzip(empty), headers)).status;
  };
  const peopleAtHq = async () => {
    const [row] = await hq.asOwner<{ people: number }>(
      'select sum(in_count)::int as people from people_counting_raw where store_id = $1',
      [store.store_id],
    );
    return row?.people;
  };
  /** Until the old key is refused, which it is once the new one has been used. */
  async function rotated(daemon: DaemonAtHq, old: Credential): Promise<void> {
    await requestRotation(hq.db, store.organization, daemon.gateway_id);
    await eventually(
      () => answered(old),
      (status) => status === 401,
    );
  }

  test('a key is replaced while it counts: the old one ends, nobody restarts anything', async () => {
    const daemon = await counting();
    const old = daemon.credential;
    expect(await answered(old)).toBe(200);
    await rotated(daemon, old);
    const young = daemon.credential;
    expect(young.credential_id).not.toBe(old.credential_id);
    expect(statSync(daemon.credentialPath).mode & 0o777).toBe(0o600);
    await daemon.count(2);
    await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 2);
    expect(await peopleAtHq()).toBe(2);
  });

  test('a key that HQ cannot take now holds up no count, and is taken later', async () => {
    const daemon = await counting();
    const old = daemon.credential;
    await daemon.kill();
    await requestRotation(hq.db, store.organization, daemon.gateway_id);
    const keys = 'alter table app.gateway_credentials';
    await hq.asOwner(`${keys} add constraint none_more check (false) not valid`);
    await daemon.start();
    await daemon.count(2);
    await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 2);
    await hq.asOwner(`${keys} drop constraint none_more`);
    await eventually(
      async () => daemon.credential.credential_id,
      (credential_id) => credential_id !== old.credential_id,
      30_000,
    );
    expect(await peopleAtHq()).toBe(2);
  });

  test('a revoked gateway is refused at its next request, keeps all, and delivers it once enrolled again', async () => {
    const daemon = await counting();
    await revokeGateway(hq.db, store.organization, daemon.gateway_id);
    expect(await answered(daemon.credential)).toBe(401);
    await daemon.count(2, 4);
    const refused = await daemon.until('refused', ({ uplink }) => uplink.sync?.state === 'refused');
    expect(refused.uplink.sync?.error).toMatch(/credential_refused|does not accept/);
    expect(refused.buffer.buffered).toBe(3);
    expect(refused.durability).toBe('fsync');
    expect(await peopleAtHq()).toBe(1);

    const token = await inviteTo(hq, store);
    await daemon.enroll('--force', '--hq', hq.url, '--token', token);
    await daemon.until('delivered as another', ({ buffer }) => buffer.buffered === 0);
    expect(daemon.credential.gateway_id).not.toBe(daemon.gateway_id);
    expect(await peopleAtHq()).toBe(4);
  });

  test('a key that systemd hands over is replaced beside it, and counts also after a restart', async () => {
    const daemon = await counting();
    await daemon.kill();
    const handed = join(daemon.folder, 'credentials');
    mkdirSync(handed);
    renameSync(daemon.credentialPath, join(handed, 'footbridge_gateway'));
    daemon.configure({ credential_file: 'credential:gateway' });
    const environment = { CREDENTIALS_DIRECTORY: handed };
    await daemon.start(environment);
    await daemon.count(2);
    await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 2);
    expect(existsSync(daemon.credentialPath)).toBe(false);

    const file = readFileSync(join(handed, 'footbridge_gateway'), 'utf8');
    const old = JSON.parse(file) as Credential;
    await rotated(daemon, old);
    expect(daemon.credential.credential_id).not.toBe(old.credential_id);
    await daemon.kill();
    await daemon.start(environment);
    await daemon.count(3);
    await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 3);
    expect(await peopleAtHq()).toBe(3);
  });

  test('one of another gateway, handed over in its place, wins over a key of our own', async () => {
    const daemon = await counting();
    const other = await DaemonAtHq.at(hq, store, workspace);
    await daemon.kill();
    const handed = join(daemon.folder, 'credentials');
    mkdirSync(handed);
    renameSync(other.credentialPath, join(handed, 'footbridge_gateway'));
    daemon.configure({ credential_file: 'credential:gateway' });
    await daemon.start({ CREDENTIALS_DIRECTORY: handed });
    const { uplink } = await daemon.until('enrolled', (seen) => seen.uplink.enrolled !== null);
    expect(uplink.enrolled?.gateway_id).toBe(other.gateway_id);
  });

  test('a copied disk raises an alert: two machines speak with one credential', async () => {
    const daemon = await counting();
    await daemon.kill();
    const twin = await daemon.copy(workspace);
    await daemon.start();
    await daemon.until('heard', ({ uplink }) => uplink.clock_skew_ms !== null);
    await twin.start();
    const alerts = await eventually(
      () =>
        hq.asOwner<{ alert_type: string; severity: string }>(
          `select alert_type, severity from alerts
           where store_id = $1 and alert_type = 'gateway_cloned'`,
          [store.store_id],
        ),
      (rows) => rows.length > 0,
    );
    expect(alerts).toEqual([{ alert_type: 'gateway_cloned', severity: 'critical' }]);
  });
});
