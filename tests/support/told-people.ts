/** An organization whose people are told of alerts: gateways that fall silent, a mail server, a clock. */
import { randomUUID } from 'node:crypto';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import { Metrics } from '../../cloud-sync/metrics.ts';
import { type Delivery, deliverWaiting } from '../../cloud-sync/notify/deliver.ts';
import { openMailer } from '../../cloud-sync/notify/email.ts';
import { makeNotifications } from '../../cloud-sync/notify/planning.ts';
import { addRoute, type WantedRoute } from '../../cloud-sync/notify/routes.ts';
import { addOrganization, type Organization } from '../../cloud-sync/tenants/organizations.ts';
import { addUser, type UserRole } from '../../cloud-sync/tenants/users.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { addTestStore, type TestStore } from './hq.ts';
import { header, type MailServer } from './mail-server.ts';
import type { TestDatabase } from './postgres.ts';

const s = 1000;
const minute = 60 * s;
/** When each test begins, ms since the epoch. */
export const start = Date.UTC(2026, 2, 3, 12);

/** A gateway whose heartbeats go straight to HQ's code. */
export interface TalkingGateway {
  /** Whether its heartbeats arrive. */
  up: boolean;
  /** Since when what is between it and its sensors is down, ms since the epoch. */
  deaf_since: number | null;
  beat(at: number): Promise<unknown>;
}

export class ToldPeople {
  readonly #hq: TestDatabase;
  readonly #smtp: MailServer;
  readonly organization: Organization;
  /** Where messages leave; a test may take the mail server away. */
  delivery: Delivery;
  /** What the clock says, ms since the epoch. */
  now = start;

  private constructor(hq: TestDatabase, smtp: MailServer, organization: Organization) {
    this.#hq = hq;
    this.#smtp = smtp;
    this.organization = organization;
    this.delivery = {
      db: hq.db,
      mailer: openMailer({ url: smtp.url, from: 'Footbridge <alerts@hq.example>' }),
      metrics: new Metrics(),
      clock: { ...systemClock, now: () => this.now, random: () => 1 },
      log: silentLog,
    };
  }

  /** An organization of its own, and a mail server that has received nothing. */
  static async begin(hq: TestDatabase, smtp: MailServer): Promise<ToldPeople> {
    smtp.received.length = 0;
    const wanted = { slug: `o-${randomUUID()}`, name: 'Acme' };
    return new ToldPeople(hq, smtp, await addOrganization(hq.db, wanted));
  }

  /** Every minute for so long: gateways that are up speak, the watch looks, people are told. */
  async watch(minutes: number, gateways: readonly TalkingGateway[]): Promise<void> {
    for (let i = 0; i <= minutes; i += 1) {
      for (const gateway of gateways) if (gateway.up) await gateway.beat(this.now);
      await this.look(this.now, i === 0);
      await this.tell();
      this.now += minute;
    }
  }

  look(now: number, thorough: boolean): Promise<unknown> {
    const organization_id = this.organization.id;
    const limits = { watching_since: 0, heartbeat_grace_s: 180, thorough };
    return evaluateAlerts(this.#hq.db, { organization_id, now, ...limits });
  }

  async tell(): Promise<void> {
    await makeNotifications(this.#hq.db, this.organization.id, this.now);
    await deliverWaiting(this.delivery, this.organization.id);
  }

  addStore(): Promise<TestStore> {
    return addTestStore(this.#hq, { organization: this.organization });
  }

  person(role: UserRole, email: string, stores: readonly TestStore[]) {
    const codes = stores.map(({ code }) => code);
    return addUser(this.#hq.db, this.organization, { email, role, stores: codes });
  }

  route(changes: Partial<WantedRoute>) {
    return addRoute(this.#hq.db, this.organization, {
      kind: 'email',
      role: null,
      url: null,
      severity_min: 'warning',
      quiet_from: null,
      quiet_until: null,
      timezone: 'UTC',
      ...changes,
    });
  }

  /** Of the mails that arrived, in their order. */
  subjects(to?: string): (string | undefined)[] {
    return this.#smtp.received
      .filter((one) => to === undefined || one.to === to)
      .map((one) => header(one, 'Subject'));
  }

  async addGateway(store: TestStore, sensors = 0): Promise<TalkingGateway> {
    const [row] = await this.#hq.asOwner<{ gateway_id: string; credential_id: string }>(
      `with g as (insert into app.gateways (organization_id, store_id, name, version, enrolled_at)
         values ($1, $2, 'pc', '1', to_timestamp($3::float8 / 1000)) returning id)
       insert into app.gateway_credentials (organization_id, gateway_id, secret_hash)
       select $1, id, sha256('x') from g returning id as credential_id, gateway_id`,
      [this.organization.id, store.store_id, start],
    );
    if (row === undefined) throw new Error('no gateway');
    const identity = { organization_id: this.organization.id, store_id: store.store_id, ...row };
    const gateway: TalkingGateway = {
      up: true,
      deaf_since: null,
      beat: (at) =>
        storeHeartbeat(this.#hq.db, identity, heartbeat(at, sensors, gateway.deaf_since), at),
    };
    return gateway;
  }
}

function heartbeat(at: number, sensors: number, deaf_since: number | null) {
  return {
    version: '1',
    epoch: '018f0000-0000-7000-8000-000000000000',
    sent_at: at,
    buffered: 0,
    oldest_unsent_at: null,
    delivered_at: at,
    durability: 'fsync' as const,
    sensors: Array.from({ length: sensors }, (_, i) => ({
      sensor_id: `door-${i}`,
      name: '',
      profile: 'p',
      kind: 'line' as const,
      // Each spoke last at its own moment.
      last_seen_at: deaf_since === null ? at : deaf_since - i * s,
      silent_after_s: 300,
    })),
    sources: [],
    quarantined: [],
  };
}
