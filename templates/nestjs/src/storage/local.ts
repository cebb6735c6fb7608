import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { type FileUrls } from './file-urls';
import { type Chunks, splitKey, type Storage } from './storage';

/** Keeps files in a folder of the local disk; the service itself serves them, see {@link FilesController}. */
export class LocalStorage implements Storage {
  private readonly root: string;

  constructor(
    directory: string,
    private readonly urls: FileUrls,
  ) {
    this.root = resolve(directory);
  }

  /** Writes beside the place and renames: nobody ever sees half a file, also after a crash. */
  async write(key: string, chunks: Chunks): Promise<void> {
    const target = this.path(key);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const temporary = join(this.root, `.tmp-${randomUUID()}`);
    try {
      await pipeline(Readable.from(chunks), createWriteStream(temporary, { flags: 'wx', flush: true, mode: 0o600 }));
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async read(key: string): Promise<Readable | null> {
    try {
      const file = await open(this.path(key));
      return createReadStream('', { fd: file });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return null;
      }
      throw error;
    }
  }

  url(key: string): Promise<string> {
    return Promise.resolve(this.urls.sign(key));
  }

  private path(key: string): string {
    const { id, name } = splitKey(key);
    return join(this.root, id, name);
  }
}
