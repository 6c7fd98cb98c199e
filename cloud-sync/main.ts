/** HQ's composition root: what runs, in the order in which it starts. */
import type { Clock } from '../shared/runtime/clock.ts';
import type { Part } from '../shared/runtime/lifecycle.ts';
import { Lifecycle } from '../shared/runtime/lifecycle.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { NotifyEnvironment } from '../shared/runtime/sd-notify.ts';
import { sdNotify } from '../shared/runtime/sd-notify.ts';
import type { MailSettings } from './config.ts';
import type { Database } from './db/pool.ts';
import { alertWorker } from './health/alert-worker.ts';
import { Admission } from './http/admission.ts';
import { httpPart, httpServer } from './http/server.ts';
import type { Sample } from './metrics.ts';
import { Metrics } from './metrics.ts';
import { openMailer } from './notify/email.ts';
import { notifyWorker } from './notify/notify-worker.ts';
import { ensurePartitions } from './partitions.ts';
import { calendarJob } from './rollups/calendar-job.ts';
import { closeHours, organizationsToClose } from './rollups/mark-hours.ts';
import { rollupWorker } from './rollups/rollup-worker.ts';

/** A worker whose pass takes longer than this hangs, and systemd may restart the service. */
const pass_deadline_ms = 150_000;

export interface ServiceOptions {
  readonly db: Database;
  readonly listen: { host: string; port: number };
  /** Seconds without a heartbeat after which a gateway is offline. */
  readonly heartbeat_grace_s: number;
  /** Null: no e-mail is sent. */
  readonly mail: MailSettings | null;
  readonly notify: NotifyEnvironment;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Service {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts HQ on a database whose schema is in place. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { db, clock, log, heartbeat_grace_s } = options;
  const metrics = new Metrics();
  const admission = new Admission(clock);
  const rollups = rollupWorker({ db, metrics, clock, log });
  const alerts = alertWorker({ db, heartbeat_grace_s, clock, log });
  const mailer = options.mail === null ? null : openMailer(options.mail);
  const notifications = notifyWorker({ db, mailer, metrics, clock, log });
  // Not the one that tells people: it waits for servers of others, and no count for it.
  const workers = [rollups, alerts];

  const gauges = (): Sample[] => [
    { name: 'hq_rollup_seconds_since_success', value: age_s(clock, rollups.last_success_at) },
    { name: 'hq_alerts_seconds_since_success', value: age_s(clock, alerts.last_success_at) },
    ...alerts.gauges(),
    {
      name: 'hq_notifications_seconds_since_success',
      value: age_s(clock, notifications.last_success_at),
    },
    ...Object.entries(db.connections).map(
      ([state, value]): Sample => ({ name: 'hq_database_connections', labels: { state }, value }),
    ),
    ...[...admission.admitted].map(
      ([lane, value]): Sample => ({ name: 'hq_requests_in_flight', labels: { lane }, value }),
    ),
    { name: 'hq_resident_memory_bytes', value: process.memoryUsage.rss() },
  ];
  const onReadings = () => rollups.wake();
  const app = httpServer({ db, clock, log, metrics, admission, gauges, onReadings });
  const http = httpPart(app, options.listen, clock, log);

  const lifecycle = new Lifecycle(clock, log);
  await lifecycle.start([
    partitionJob(options),
    rollups,
    closingJob(options, () => rollups.wake()),
    alerts,
    notifications,
    http,
    sdNotify({
      environment: options.notify,
      makesProgress: () =>
        workers.every((one) => clock.monotonic() - one.last_pass_at < pass_deadline_ms),
      clock,
    }),
  ]);
  return {
    url: http.url(),
    async stop() {
      await lifecycle.stop();
      mailer?.close();
    },
  };
}

function age_s(clock: Clock, since_ms: number): number {
  return Math.round((clock.monotonic() - since_ms) / 100) / 10;
}

/** Hours in which nothing arrived say so too; organization by organization, some minutes past. */
function closingJob({ db, clock, log }: ServiceOptions, marked: () => void): Part {
  return calendarJob({
    db,
    log,
    name: 'close-hours',
    at: '4 * * * *',
    async work() {
      let hours = 0;
      for (const organization_id of await organizationsToClose(db)) {
        hours += await closeHours(db, organization_id, clock.now());
      }
      marked();
      return `${hours} hours marked`;
    },
  });
}

/** Nightly; at start too, because the service may have been down for months. */
function partitionJob({ db, log }: ServiceOptions): Part {
  return calendarJob({
    db,
    log,
    name: 'partitions',
    at: '17 1 * * *',
    work: async () => `${await ensurePartitions(db)} partitions created`,
  });
}
