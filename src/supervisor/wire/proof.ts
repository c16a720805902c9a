import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SUPERVISOR_FILES } from './protocol.js';

/** Length in bytes of a nonce, and of the secret that a supervisor shares with its daemon. */
const RANDOM_BYTES = 32;

/** @returns a nonce for one hello. */
export function makeNonce(): string {
  return randomBytes(RANDOM_BYTES).toString('hex');
}

/** Writes a new secret into a supervisor's directory, readable by this user only. @throws Error when it cannot. */
export function writeSecret(dir: string): void {
  writeFileSync(join(dir, SUPERVISOR_FILES.secret), makeNonce(), { mode: 0o600, flag: 'wx' });
}

/** @throws Error when the directory has no secret. */
export function readSecret(dir: string): string {
  return readFileSync(join(dir, SUPERVISOR_FILES.secret), 'utf8');
}

/** @returns HMAC-SHA256 of the nonce under the secret, hex. */
export function prove(secret: string, nonce: string): string {
  return createHmac('sha256', secret).update(nonce).digest('hex');
}

export function isProof(secret: string, nonce: string, proof: string): boolean {
  const expected = Buffer.from(prove(secret, nonce));
  const given = Buffer.from(proof);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
