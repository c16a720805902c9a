/** Which of several tasks must have ended for a wait to be over. */
export type WaitMode = 'any' | 'all';
