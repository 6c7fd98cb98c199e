/** HQ's HTTP side: enrolment, batches and heartbeats of gateways, reports, and three probes. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { BatchAnswer } from '../../shared/wire/batch.ts';
import { batch_bytes_max, batch_inflated_bytes_max, batchSchema } from '../../shared/wire/batch.ts';
import type { CommissioningAnswer } from '../../shared/wire/commissioning.ts';
import { commissioningSchema } from '../../shared/wire/commissioning.ts';
import type { RotateAnswer } from '../../shared/wire/credential.ts';
import { rotateRequestSchema } from '../../shared/wire/credential.ts';
import type { EnrollAnswer } from '../../shared/wire/enroll.ts';
import { enrollRequestSchema } from '../../shared/wire/enroll.ts';
import type { HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import { heartbeatSchema } from '../../shared/wire/heartbeat.ts';
import type { Database } from '../db/pool.ts';
import { Authenticator, sha256 } from '../gateways/credentials.ts';
import { enrollGateway } from '../gateways/enroll.ts';
import { addCredential } from '../gateways/rotate.ts';
import { storeCommissioning } from '../health/commissioning.ts';
import { storeHeartbeat } from '../health/heartbeat.ts';
import { ingestBatch } from '../ingest/ingest-batch.ts';
import type { Metrics, Sample } from '../metrics.ts';
import type { Admission } from './admission.ts';
import type { BodyLimits, SentBody } from './body.ts';
import { inflateBody, receiveBody } from './body.ts';
import { errorAnswer } from './error-answer.ts';
import { parseJson, validate } from './json.ts';
import { reportRoutes } from './report-routes.ts';

export interface HttpOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly admission: Admission;
  /** Called after every live batch that stored something. */
  readonly onReadings: () => void;
  /** Sampled when /metrics is read. */
  readonly gauges: () => Sample[];
}

const batchLimits: BodyLimits = {
  bytes_max: batch_bytes_max,
  inflated_bytes_max: batch_inflated_bytes_max,
};
/** A thousand sensors with their names, and as many losses. */
const heartbeatLimits: BodyLimits = { bytes_max: 1024 * 1024, inflated_bytes_max: 2 * 1024 * 1024 };
const commissioningLimits: BodyLimits = { bytes_max: 10_000, inflated_bytes_max: 10_000 };
const enrollLimits: BodyLimits = { bytes_max: 10_000, inflated_bytes_max: 10_000 };
/** A gateway on a slow line sends a megabyte in this time; a stalled one does not hold a socket. */
const request_deadline_ms = 120_000;
const ready_deadline_ms = 3_000;
/** Requests under way get this long to finish when the service stops. */
const stop_deadline_ms = 5_000;

export function httpServer(options: HttpOptions): FastifyInstance {
  const { log, metrics } = options;
  const app = fastify({
    requestTimeout: request_deadline_ms,
    forceCloseConnections: 'idle',
    // A URL that cannot be decoded never reaches a route.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const { status, body } = errorAnswer(error);
      return reply.code(status).send(body);
    },
  });
  // Routes read the stream themselves, each within its own limits and after it knows who asks.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  app.setNotFoundHandler((request) => {
    throw new FootbridgeError('route_unknown', `${request.method} ${request.url.slice(0, 200)}`);
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = errorAnswer(error);
    if (answer.status >= 500) {
      log.error({ url: request.url, detail: errorText(error), err: error }, 'a request failed');
    }
    if (answer.retry_after_s !== undefined) reply.header('retry-after', answer.retry_after_s);
    // The rest of a refused body is not read, so the connection cannot be used again.
    if (!request.raw.complete) reply.header('connection', 'close');
    return reply.code(answer.status).send(answer.body);
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.add('hq_http_requests_total', 1, { route, status: String(reply.statusCode) });
  });

  gatewayRoutes(app, options);
  reportRoutes(app, options);
  probeRoutes(app, options);
  return app;
}

function gatewayRoutes(app: FastifyInstance, options: HttpOptions): void {
  const { db, clock, metrics, admission } = options;
  const authenticator = new Authenticator(db, () => clock.monotonic());
  app.post('/v1/enroll', async (request): Promise<EnrollAnswer> => {
    const body = parseJson(await bodyOf(request, enrollLimits));
    const asked = validate(enrollRequestSchema, body, 'body_malformed');
    // The small body is read before: who sends one slowly holds no place.
    const answer = await admission.inTurn('enrolment', () => enrollGateway(db, asked, clock.now()));
    metrics.add('hq_gateways_enrolled_total', 1);
    return answer;
  });

  app.post('/v1/batches', async (request): Promise<BatchAnswer> => {
    const gateway = await authenticator.authenticate(request.headers.authorization);
    const lane = laneOf(request);
    const place = admission.enter(lane, gateway.gateway_id);
    try {
      const sent = await sentBy(request, batchLimits);
      // Inflated and read in its turn, or batches that wait would take time from those at work.
      const answer = await place.work(() => {
        const body = inflateBody(sent, batchLimits);
        const batch = validate(batchSchema, parseJson(body), 'batch_invalid');
        return ingestBatch(db, gateway, batch, sha256(body));
      });
      metrics.add('hq_batches_total', 1);
      metrics.add('hq_readings_accepted_total', answer.accepted);
      metrics.add('hq_readings_duplicate_total', answer.duplicate);
      for (const { code } of answer.rejected) {
        metrics.add('hq_readings_rejected_total', 1, { code });
      }
      // Backlog is rolled up at the worker's own pace: woken for each batch, it would compute the
      // hours and days at the seam of two batches again and again.
      if (answer.accepted > 0 && lane === 'live') options.onReadings();
      return { ...answer, backlog: admission.budget() };
    } finally {
      place.leave();
    }
  });

  app.post('/v1/heartbeats', async (request): Promise<HeartbeatAnswer> => {
    const gateway = await authenticator.authenticate(request.headers.authorization);
    const place = admission.enter('heartbeat', gateway.gateway_id);
    try {
      const body = parseJson(await bodyOf(request, heartbeatLimits));
      const heartbeat = validate(heartbeatSchema, body, 'body_malformed');
      const answer = await place.work(() => storeHeartbeat(db, gateway, heartbeat, clock.now()));
      metrics.add('hq_heartbeats_total', 1);
      return { ...answer, server_time: clock.now() };
    } finally {
      place.leave();
    }
  });

  app.post('/v1/credentials', async (request): Promise<RotateAnswer> => {
    const gateway = await authenticator.authenticate(request.headers.authorization);
    const body = parseJson(await bodyOf(request, enrollLimits));
    const asked = validate(rotateRequestSchema, body, 'body_malformed');
    return admission.inTurn('upkeep', () => addCredential(db, gateway, asked));
  });

  app.post('/v1/commissioning', async (request): Promise<CommissioningAnswer> => {
    const gateway = await authenticator.authenticate(request.headers.authorization);
    const body = parseJson(await bodyOf(request, commissioningLimits));
    const report = validate(commissioningSchema, body, 'body_malformed');
    return admission.inTurn('upkeep', () => storeCommissioning(db, gateway, report));
  });
}

/** A gateway that does not say counts as live: it has one lane. */
function laneOf(request: FastifyRequest): 'live' | 'backlog' {
  return request.headers['footbridge-lane'] === 'backlog' ? 'backlog' : 'live';
}

function probeRoutes(app: FastifyInstance, { db, clock, metrics, gauges }: HttpOptions): void {
  let asked: Promise<unknown> | undefined;
  // One question for all who ask meanwhile: anybody may, and each would hold a connection.
  const databaseAnswers = () => {
    if (asked !== undefined) return asked;
    const answered = db.inTenant({}, 'app_ingest', ({ query }) => query('select 1'));
    const forget = () => {
      if (asked === answered) asked = undefined;
      cancel();
    };
    // A connection that is dead and does not know it must not answer for the others.
    const cancel = clock.after(ready_deadline_ms, forget);
    answered.then(forget, forget);
    asked = answered;
    return answered;
  };
  app.get('/livez', async () => ({ status: 'ok' }));
  app.get('/readyz', async () => {
    const overdue = new AbortController();
    const answered = databaseAnswers();
    answered.catch(() => {});
    const late = clock.sleep(ready_deadline_ms, overdue.signal).then(() => {
      if (!overdue.signal.aborted) throw new FootbridgeError('database_unavailable');
    });
    late.catch(() => {});
    try {
      await Promise.race([answered, late]);
    } finally {
      overdue.abort();
    }
    return { status: 'ok' };
  });
  app.get('/metrics', async (_request, reply) => {
    reply.type('text/plain; version=0.0.4; charset=utf-8');
    return metrics.render(gauges());
  });
}

async function bodyOf(request: FastifyRequest, limits: BodyLimits): Promise<Buffer> {
  return inflateBody(await sentBy(request, limits), limits);
}

function sentBy(request: FastifyRequest, limits: BodyLimits): Promise<SentBody> {
  const raw: IncomingMessage = request.raw;
  const { 'content-encoding': encoding, 'content-length': length } = raw.headers;
  return receiveBody(raw, { encoding, length }, limits);
}

/** Listens; `url()` is known once started. */
export function httpPart(
  app: FastifyInstance,
  listen: { host: string; port: number },
  clock: Clock,
  log: Log,
): Part & { url(): string } {
  let url = '';
  return {
    name: 'http',
    url: () => url,
    async start() {
      try {
        url = await app.listen(listen);
      } catch (cause) {
        const hint = 'Choose another address with --listen, or stop the process that uses it.';
        throw new FootbridgeError('value_invalid', `--listen: ${errorText(cause)}`, {
          cause,
          hint,
        });
      }
      log.info({ url }, 'listening');
    },
    async stop() {
      // A client that sends half a body and waits would keep the service from ending.
      const cancel = clock.after(stop_deadline_ms, () => app.server.closeAllConnections());
      await app.close();
      cancel();
    },
  };
}
