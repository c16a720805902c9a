/** How long until what could not be done, mostly for want of room on the disk, is tried again. Milliseconds. */
export const RETRY_MS = 500;
