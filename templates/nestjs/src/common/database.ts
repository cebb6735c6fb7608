import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DatabaseError, Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';

import { Config } from './config';
import { Logger } from './logger';

const connectTimeoutMs = 5000;
const idleTimeoutMs = 5 * 60_000;

/** Postgres' SQLSTATE for a duplicate key. */
const uniqueViolation = '23505';

/** Where queries run: the pool, or a transaction. */
export interface Queryable {
  query<Row extends QueryResultRow>(sql: string, values?: unknown[]): Promise<QueryResult<Row>>;
}

/**
 * The service's Postgres pool. It connects when it is first used, so that the service starts while Postgres is still down
 * and recovers when it comes back.
 */
@Injectable()
export class Database implements Queryable, OnApplicationShutdown {
  private readonly pool: Pool;

  constructor(config: Config, logger: Logger) {
    this.pool = new Pool({
      connectionString: config.databaseUrl,
      connectionTimeoutMillis: connectTimeoutMs,
      idleTimeoutMillis: idleTimeoutMs,
      application_name: config.projectName,
    });
    // An idle connection that breaks is replaced; without a listener it would end the process.
    this.pool.on('error', (error) => logger.warn('lost a connection to postgres', { error }));
  }

  query<Row extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<QueryResult<Row>> {
    return this.pool.query<Row>(sql, values);
  }

  /** Runs work in a transaction: committed when it succeeds, rolled back otherwise. */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      broken = await rollBack(client);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

/** Returns the error with which the connection is to be thrown away. */
async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Whether an error is a violation of the named unique index or constraint. */
export function isDuplicate(error: unknown, constraint: string): boolean {
  return error instanceof DatabaseError && error.code === uniqueViolation && error.constraint === constraint;
}
