import { z } from 'zod';
import { optional, orElse, positive, wholeNumber } from './fields.js';
import { isTaskId } from './ids.js';
import { submissionParts, text } from './request.js';
import { count, texts, time } from './schema.js';
import { TaskCounts } from './queues.js';
import { SessionReader } from './read-mark.js';
import { StorageFigures } from './session-storage.js';

export const SESSION_STATES = ['idle', 'running', 'ended', 'evicted'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** How many tasks of a session may run at once at most. */
const CONCURRENCY_MAX = 1000;
/** Characters of a title. */
const TITLE_MAX = 1000;
/** Entries of the metadata, and characters of all of them. */
const METADATA_MAX = 100;
const METADATA_CHARACTERS = 65_536;
/** About 100 years. */
const TTL_MAX_SECS = 3_155_760_000;

const { tenant, owner } = submissionParts.ControlContext.shape;

/** In place of zod's own words for a field that there is not. */
const inWords = {
  error: ({ code, keys }: { code?: string | undefined; keys?: string[] }) =>
    code === 'unrecognized_keys' ? `has no field "${keys?.[0]?.slice(0, 100) ?? ''}"` : undefined,
};

const metadataField = z
  .record(text, text)
  .refine((all) => Object.keys(all).length <= METADATA_MAX, `must have at most ${METADATA_MAX} entries`)
  .refine(
    (all) =>
      Object.entries(all).reduce((sum, [key, value]) => sum + key.length + value.length, 0) <=
      METADATA_CHARACTERS,
    `must have at most ${METADATA_CHARACTERS} characters in all`,
  );
const title = text.max(TITLE_MAX, `must have at most ${TITLE_MAX} characters`);
const concurrency = positive.max(CONCURRENCY_MAX, `must be at most ${CONCURRENCY_MAX}`);
const ttlSecs = positive.max(TTL_MAX_SECS, 'must be at most 100 years');
const expiresAt = z.iso.datetime({
  offset: true,
  error: 'must be a time of RFC 3339, such as 2027-01-31T12:00:00Z',
});

const onlyOneEnd = ({ ttl_secs, expires_at }: { ttl_secs?: unknown; expires_at?: unknown }) =>
  (ttl_secs ?? undefined) === undefined || (expires_at ?? undefined) === undefined;
const BOTH_ENDS = { path: ['expires_at'], error: 'cannot be given together with ttl_secs' };

/** The body that makes a session. A name that there is not is refused: nobody should believe that it holds. */
export const SessionRequest = z
  .strictObject(
    {
      session_id: optional(
        z.string().refine(isTaskId, 'must be 1 to 128 letters, digits, "-", "_" or ".", and not "." or ".."'),
      ).describe('A random one without it'),
      tenant: tenant.describe('Whose session it is: tasks of others find none'),
      owner: owner.describe('Who alone may change and delete it'),
      title: optional(title).describe('For people'),
      metadata: orElse(metadataField, () => ({})),
      ttl_secs: optional(ttlSecs).describe('How long it takes tasks, from now on'),
      expires_at: optional(expiresAt).describe('Until when it takes tasks'),
      concurrency: orElse(concurrency, () => 1).describe(
        'How many of its tasks may run at once; 1 by default',
      ),
    },
    inWords,
  )
  .refine(onlyOneEnd, BOTH_ENDS);
/** What a client may send. */
export type SessionRequest = z.input<typeof SessionRequest>;
export type NewSession = z.output<typeof SessionRequest>;

/** What may be changed of a session: a JSON Merge Patch. What is absent stays; `null` takes away. */
export const SessionEdit = z
  .strictObject(
    {
      if_version: wholeNumber
        .min(1, 'must be at least 1')
        .nullish()
        .describe('Change it only if it has this version'),
      title: title.nullish(),
      metadata: z.record(text, text.nullable()).nullish(),
      ttl_secs: ttlSecs
        .nullish()
        .describe('How long it takes tasks, from now on; null: until it is idle for too long'),
      expires_at: expiresAt
        .nullish()
        .describe('Until when it takes tasks; null: until it is idle for too long'),
      concurrency: concurrency.nullish().describe('How many of its tasks may run at once; null: 1'),
      state: z
        .literal('ended', 'must be "ended", which is for good')
        .optional()
        .describe('Let it take no more tasks; its files stay'),
    },
    inWords,
  )
  .refine(onlyOneEnd, BOTH_ENDS);
/** What a client may send. */
export type SessionEdit = z.input<typeof SessionEdit>;

/** The whole metadata after a change. */
export const sessionMetadata = metadataField;

/** A session as it is now. */
export const SessionView = z.strictObject({
  session_id: z.string(),
  tenant: z.string().optional(),
  owner: z.string().optional(),
  title: z.string().optional(),
  metadata: texts,
  state: z
    .enum(SESSION_STATES)
    .describe(
      'idle: none of its tasks waits or runs; running: some do; ended: it takes no more tasks, and its files are still there; evicted: they are gone',
    ),
  reason: z
    .enum(['expired', 'idle', 'deleted', 'closed'])
    .optional()
    .describe(
      'Why it takes no more tasks; deleted: it goes with the last of its tasks; closed: somebody has ended it',
    ),
  version: count.describe('Grows with each change of what was said of it, and of ended and evicted'),
  concurrency: z.int().min(1),
  created_at: time,
  updated_at: time,
  last_activity_at: time.describe('When something last happened to one of its tasks or files'),
  expires_at: time.optional().describe('Until when it takes tasks'),
  ended_at: time.optional(),
  evicted_at: time.optional(),
  counts: TaskCounts.describe('Of all tasks that it has had, also of those that are collected'),
  active_task_id: z.string().optional().describe('The one that has run for longest'),
  last_task_id: z.string().optional().describe('The one that was submitted last'),
  last_event_seq: count.describe('Of the last event of one of its tasks; 0 before the first'),
  readers: z
    .array(SessionReader)
    .optional()
    .describe('Who has said how far it was seen, by name; absent for nobody'),
  storage: StorageFigures.optional().describe(
    'What it keeps; absent before anybody has asked for that, and once it is evicted',
  ),
  workspace: z.string().optional().describe('The directory that its tasks share; absent once it is evicted'),
});
export type SessionView = z.output<typeof SessionView>;

export const SessionPage = z.strictObject({
  sessions: z.array(SessionView),
  next_cursor: z.string().optional().describe('Absent on the last page'),
});
export type SessionPage = z.output<typeof SessionPage>;

/** `deleted: false`: its tasks are being ended, and it goes with the last of them. */
export const SessionDeleteAnswer = z.strictObject({ session_id: z.string(), deleted: z.boolean() });
export type SessionDeleteAnswer = z.output<typeof SessionDeleteAnswer>;

/** Which sessions a list shows, newest first. */
export interface SessionQuery {
  tenant?: string | undefined;
  owner?: string | undefined;
  state?: SessionState | undefined;
  /** A reader that has not seen it as it is. */
  unread_by?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** How to delete a session. */
export interface SessionDeletion {
  /** Of whose tenant it must be; undefined: whichever. */
  tenant?: string | undefined;
  /** Value of `x-execgo-owner`. */
  owner: string | undefined;
  /** End its tasks first. */
  force: boolean;
  /** How long to wait for their ends, in milliseconds. */
  wait_ms: number;
}
