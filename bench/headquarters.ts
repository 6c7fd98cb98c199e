/** HQ for a measurement: the real service in a process of its own, on a database of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { migrate } from '../cloud-sync/db/migrations.ts';
import type { Query } from '../cloud-sync/db/pool.ts';
import { Database, withClient } from '../cloud-sync/db/pool.ts';
import { openDatabaseServer } from '../cloud-sync/db/server.ts';
import { enrollGateway } from '../cloud-sync/gateways/enroll.ts';
import { inviteGateway } from '../cloud-sync/gateways/registry.ts';
import { ensurePartitions } from '../cloud-sync/partitions.ts';
import { addOrganization } from '../cloud-sync/tenants/organizations.ts';
import { addStore } from '../cloud-sync/tenants/stores.ts';
import type { Credential } from '../gateway/sync/credential.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { silentLog } from '../shared/runtime/log.ts';
import { cpuTime_us, familyTime_us } from './cpu-time.ts';

const package_root = fileURLToPath(new URL('../../', import.meta.url));

export interface Headquarters {
  readonly url: string;
  readonly organization_id: string;
  /** As superuser, past row security: to look at what really stands there, and for COPY. */
  readonly asOwner: Query;
  /** CPU time so far, µs: of the service, and of the database with all its processes. */
  cpuTime(): { service_us: number; database_us: number };
  /** A store and the credential of its gateway. */
  addGateway(code: string): Promise<{ store_id: string; credential: Credential }>;
  close(): Promise<void>;
}

export async function openHeadquarters(): Promise<Headquarters> {
  const data_dir = mkdtempSync('/var/tmp/footbridge-bench-');
  const where = { database_url: undefined, migration_database_url: undefined };
  const server = await openDatabaseServer({ data_dir, ...where, clock: systemClock });
  const directory = path.join(package_root, 'migrations');
  await migrate({ url: server.owner_url, directory, direction: 'up', log: silentLog });
  const db = new Database({ url: server.service_url, log: silentLog, name: 'bench' });
  await ensurePartitions(db);
  const organization = await addOrganization(db, { slug: 'bench', name: 'Bench' });
  const { process: service, url } = await startService(server.service_url);
  const owner = await connect(server.owner_url);
  return {
    url,
    organization_id: organization.id,
    asOwner: owner.query,
    cpuTime: () => ({
      service_us: cpuTime_us(Number(service.pid)),
      database_us: familyTime_us(postmaster(data_dir)),
    }),
    async addGateway(code) {
      const store = await addStore(db, organization, {
        code,
        name: code,
        timezone: 'Europe/Madrid',
      });
      const { token } = await inviteGateway(db, organization, code, systemClock.now());
      const secret = randomBytes(32).toString('base64url');
      const secret_hash = createHash('sha256').update(secret).digest('hex');
      const request = { token, secret_hash, name: code, version: '0' };
      const answer = await enrollGateway(db, request, systemClock.now());
      return { store_id: store.id, credential: { hq_url: url, secret, ...answer } };
    },
    async close() {
      const ended = once(service, 'exit');
      service.kill();
      await ended;
      await owner.close();
      await db.close();
      await server.stop();
      rmSync(data_dir, { recursive: true, force: true });
    },
  };
}

/** One connection for all that is asked: a login costs the server more than the question. */
function connect(url: string): Promise<{ query: Query; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const closed = withClient(
      url,
      (client) =>
        new Promise<void>((close) => {
          const query: Query = async (text, values) => (await client.query(text, values)).rows;
          const end = () => {
            close();
            return closed;
          };
          resolve({ query, close: end });
        }),
    );
    closed.catch(reject);
  });
}

async function startService(service_url: string): Promise<{ process: ChildProcess; url: string }> {
  const command = path.join(package_root, 'dist/cloud-sync/cli/footbridge-hq.js');
  const service = spawn(process.execPath, [command, 'serve', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], DATABASE_URL: service_url, FOOTBRIDGE_LOG_LEVEL: 'warn' },
  });
  let said = '';
  for await (const chunk of service.stdout) {
    said += chunk;
    const url = /^Listening on (\S+)$/m.exec(said)?.[1];
    if (url !== undefined) return { process: service, url };
  }
  throw new Error(`HQ did not start: ${said}`);
}

/** The first line of postmaster.pid is the server's process (PostgreSQL, "Server Files"). */
function postmaster(data_dir: string): number {
  const file = path.join(data_dir, 'postgres', 'postmaster.pid');
  return Number(readFileSync(file, 'utf8').split('\n')[0]);
}
