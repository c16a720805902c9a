import { answerQuestions } from '../../binary/asked-thread.js';

answerQuestions(
  (bytes: Uint8Array<ArrayBuffer>) => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    return new TextEncoder().encode(JSON.stringify(text));
  },
  (encoded) => [encoded.buffer],
);
