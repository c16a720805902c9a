import { hash, timingSafeEqual } from 'node:crypto';
import type { Attempt } from './executor.js';

/** What its token is made from: whoever has one does not know the other. */
type Launched = Pick<Attempt, 'launch_id' | 'launch_token'>;

/** What the secret is for, so that the same token of an attempt can be used for other things, too. */
const PURPOSE = 'execgo task socket ';
const FORM = /^(\d{1,16})\.([\w-]{43})$/;

/** By this a task is known that talks to the daemon: the number of its attempt and a secret, which nothing stores. */
export function taskToken({ launch_id, launch_token }: Launched): string {
  return `${launch_id}.${hash('sha256', PURPOSE + launch_token, 'base64url')}`;
}

/** The attempt that a token says it is of; undefined for what is no token. */
export function claimedAttempt(token: string): number | undefined {
  const [, id] = FORM.exec(token) ?? [];
  return id === undefined ? undefined : Number(id);
}

/** Whether it is the token of that attempt. How long that takes tells nothing about it. */
export function isTokenOf(attempt: Launched, token: string): boolean {
  const [own, given] = [Buffer.from(taskToken(attempt)), Buffer.from(token)];
  return own.length === given.length && timingSafeEqual(own, given);
}
