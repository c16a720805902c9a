import fs from 'node:fs';

/** How many names are read in one go: about a millisecond of the event loop. */
const BATCH = 128;

/** The names in a directory as they are on disk, in batches; none when there is no such directory. */
export async function* batchesOf(dir: string): AsyncGenerator<Buffer[]> {
  let batch: Buffer[] = [];
  const encoding = 'buffer' as BufferEncoding;
  for await (const { name } of await fs.promises.opendir(dir, { encoding, bufferSize: BATCH })) {
    batch.push(name as unknown as Buffer);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
