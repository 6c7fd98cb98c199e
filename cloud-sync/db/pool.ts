/**
 * The only way to the database: a transaction that works as one role for one tenant.
 *
 * Role and identity are set inside the transaction and end with it, so a pooled connection cannot
 * show one tenant's rows to the next. Statements are not prepared by name: a plan made for one role
 * must not serve another (CVE-2023-2455, CVE-2024-10976).
 */
import pg from 'pg';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';

/** The roles of migrations/0001 and 0012: each may do one kind of work. */
export type Role =
  | 'app_enroll'
  | 'app_ingest'
  | 'app_rollup'
  | 'app_health'
  | 'app_operator'
  | 'app_retention'
  | 'app_notify'
  | 'authenticated';

/** For whom a transaction works. What is absent is empty, and policies then match nothing. */
export interface Scope {
  readonly organization_id?: string;
  readonly store_id?: string;
  readonly gateway_id?: string;
  /** The person asking, as PostgREST and Supabase say it. */
  readonly claims?: { readonly sub: string; readonly organization_id?: string };
}

export type Query = <Row extends object = Record<string, unknown>>(
  text: string,
  values?: unknown[],
) => Promise<Row[]>;

export interface Transaction {
  /** Statements that do not wait for each other's answers travel together. */
  readonly query: Query;
  /**
   * Commits with what was sent before, without a round trip in which its locks are held for nothing.
   * A statement that failed has undone them all, and says so itself. Nothing may follow.
   */
  commit(): Promise<void>;
}

/** Connections of one process. */
export const pool_size = 20;
const connect_deadline_ms = 10_000;
const statement_deadline_ms = 60_000;
/** Deadlock and serialization failures end a transaction that would succeed when run again. */
const retryable = new Set(['40P01', '40001']);
const retries_max = 3;
const in_failed_transaction = '25P02';

/** bigint as a number: sequences and counts stay below 2^53, which the wire contract holds. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

export class Database {
  readonly #pool: pg.Pool;

  constructor(options: { url: string; log: Log; name: string }) {
    this.#pool = new pg.Pool({
      connectionString: options.url,
      application_name: options.name,
      max: pool_size,
      pipeline: true,
      connectionTimeoutMillis: connect_deadline_ms,
      statement_timeout: statement_deadline_ms,
      // The server's deadline ends nothing on a line that swallows everything.
      query_timeout: statement_deadline_ms + connect_deadline_ms,
      keepAlive: true,
      idle_in_transaction_session_timeout: statement_deadline_ms,
      types,
    });
    this.#pool.on('error', (error) => {
      options.log.warn({ detail: error.message }, 'an idle database connection failed');
    });
  }

  /**
   * Runs `work` in one transaction as `role` for `scope`; commits when it returns, rolls back when
   * it throws. Runs it again after a deadlock, so `work` must touch nothing but the database.
   *
   * @throws database_unavailable when the server cannot be reached.
   */
  async inTenant<T>(scope: Scope, role: Role, work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#transaction(scope, role, work);
      } catch (error) {
        const code = sqlState(error);
        if (attempt < retries_max && code !== undefined && retryable.has(code)) continue;
        throw isUnavailable(error)
          ? new FootbridgeError('database_unavailable', errorText(error), { cause: error })
          : error;
      }
    }
  }

  /** Connections of the pool, for metrics. */
  get connections(): { total: number; idle: number; waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: waitingCount };
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #transaction<T>(
    scope: Scope,
    role: Role,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    // A server that ends the connection in mid-transaction says so twice: to the query that waits,
    // and here, where an unheard error would end the process.
    const lost = (error: Error) => {
      broken = error;
    };
    client.on('error', lost);
    // Not waited for: where it fails, the transaction has failed, and so does all that follows it.
    const begun = client.query(`begin; set local role ${role}; ${identity(client, scope)}`);
    begun.catch(() => {});
    const sent: Promise<unknown>[] = [];
    let committed: Promise<void> | undefined;
    const commit = () => {
      committed ??= committedBy(client, sent);
      return committed;
    };
    const query: Query = <Row extends object>(text: string, values?: unknown[]) => {
      if (committed !== undefined) throw new Error('a statement came after the commit');
      const answered = rows<Row>(client, text, values);
      const settled = answered.then(() => {});
      settled.catch(() => {});
      sent.push(settled);
      return answered;
    };
    try {
      const result = await work({ query, commit });
      await begun;
      await commit();
      return result;
    } catch (error) {
      await client.query('rollback').catch((failure: Error) => {
        broken = failure;
      });
      await begun;
      // Statements that travelled together: the first of them says why the others failed.
      if (sqlState(error) === in_failed_transaction) for (const statement of sent) await statement;
      throw error;
    } finally {
      client.off('error', lost);
      client.release(broken);
    }
  }
}

/**
 * A COMMIT after a statement that failed is answered with ROLLBACK, and no error.
 *
 * @throws what that statement threw.
 */
async function committedBy(
  client: pg.PoolClient,
  statements: readonly Promise<unknown>[],
): Promise<void> {
  const { command } = await client.query('commit');
  if (command === 'COMMIT') return;
  for (const statement of statements) await statement;
  throw new Error(`the transaction ended with ${command}`);
}

function identity(client: pg.PoolClient, scope: Scope): string {
  const settings = {
    'app.organization_id': scope.organization_id ?? '',
    'app.store_id': scope.store_id ?? '',
    'app.gateway_id': scope.gateway_id ?? '',
    'request.jwt.claims':
      scope.claims === undefined ? '' : JSON.stringify({ ...scope.claims, role: 'authenticated' }),
  };
  const calls = Object.entries(settings).map(
    ([name, value]) => `set_config('${name}', ${client.escapeLiteral(value)}, true)`,
  );
  // Who asks is looked up here, once, and not by every statement again.
  const person = scope.claims === undefined ? '' : '; select public.pre_request()';
  return `select ${calls.join(', ')}${person}`;
}

async function rows<Row extends object>(
  client: pg.ClientBase,
  text: string,
  values?: unknown[],
): Promise<Row[]> {
  const result = await client.query<Row>(text, values);
  return result.rows;
}

/** One connection outside the pool, as the login itself: checks. */
export function runOnce<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  return withClient(url, (client) => work((text, values) => rows(client, text, values)));
}

/** One connection outside the pool, closed when `work` is done. @throws database_unavailable */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connect_deadline_ms,
    types,
  });
  // A server that stops while the connection ends says so; nobody is left to be told.
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw isUnavailable(error)
      ? new FootbridgeError('database_unavailable', errorText(error), { cause: error })
      : error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** SQLSTATE of an error that came from PostgreSQL. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** Name of the constraint that refused a row. */
export function brokenConstraint(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.constraint : undefined;
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof FootbridgeError) return false;
  const state = sqlState(error);
  // 08 connection, 53 out of resources, 57P0x shutting down or starting, 28 refused login, 3D no
  // such database.
  if (state !== undefined) return /^(08|53|57P0|28|3D)/.test(state);
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return (
    /^E(CONN|HOST|NET|PIPE|TIMEDOUT|AI_AGAIN|NOTFOUND)/.test(code) ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered/.test(
      errorText(error),
    )
  );
}
