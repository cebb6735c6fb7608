import { extname } from 'node:path';
import type { Readable } from 'node:stream';

/**
 * Keeps files under keys of the form "id/name", where id is that of an uploaded file or of the job that made it.
 * {@link StorageService} chooses the implementation.
 */
export interface Storage {
  /** Stores what the chunks hold, all of it or nothing; what was there before is replaced. */
  write(key: string, chunks: Chunks): Promise<void>;

  /** The content, or null when there is no such file. */
  read(key: string): Promise<Readable | null>;

  /** An address where anyone can fetch the file until it expires. */
  url(key: string): Promise<string>;
}

/** The content of a file, piece by piece. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Splits a key into the id and the name. It fails for anything that could lead out of the storage. */
export function splitKey(key: string): { id: string; name: string } {
  const [id = '', name = '', ...more] = key.split('/');
  if (!/^[0-9a-f-]{36}$/.test(id) || !isPlainName(name) || more.length > 0) {
    throw new Error(`storage key ${JSON.stringify(key)} is not of the form id/name`);
  }
  return { id, name };
}

/** Whether a text can be the name of a stored file: one that leads nowhere else. */
export function isPlainName(name: string): boolean {
  return !['', '.', '..'].includes(name) && !/[/\\\0]/.test(name);
}

const types: Readonly<Record<string, string>> = {
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
};

/** The media type of a stored file: it goes by the name, because only a few types are stored. */
export function contentType(name: string): string {
  return types[extname(name).toLowerCase()] ?? 'application/octet-stream';
}

/** The header that makes a browser save a file under its name (RFC 6266). */
export function contentDisposition(name: string): string {
  const plain = name.replace(/[^ -~]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return plain === name
    ? `attachment; filename="${name}"`
    : `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
