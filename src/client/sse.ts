/** One server-sent event. `id` is that of the last event with one, as the standard says; empty before the first. */
export interface ServerSentEvent {
  event: string;
  data: string;
  id: string;
}

/** Parses an event stream as in WHATWG HTML 9.2.6, however its bytes are cut into chunks. */
export class SseParser {
  readonly #decoder = new TextDecoder('utf-8');
  #line = '';
  #afterCr = false;
  #event = '';
  #data: string[] = [];
  #id = '';

  /** Includes an id that came without data, which tells where to resume before the first event. */
  get lastEventId(): string {
    return this.#id;
  }

  /** @returns the events that this chunk completes. */
  push(chunk: Uint8Array): ServerSentEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (text === '') return [];
    if (this.#afterCr && text.startsWith('\n')) text = text.slice(1);
    this.#afterCr = text === '' ? false : text.endsWith('\r');
    const events: ServerSentEvent[] = [];
    const lines = text.split(/\r\n|\r|\n/);
    lines[0] = this.#line + (lines[0] ?? '');
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.#take(line);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  #take(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = {
      event: this.#event === '' ? 'message' : this.#event,
      data: this.#data.join('\n'),
      id: this.#id,
    };
    const given = this.#data.length > 0;
    this.#event = '';
    this.#data = [];
    return given ? event : undefined;
  }
}
