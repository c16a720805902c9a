import http from 'node:http';
import net from 'node:net';
import { complaintAbout, complaintAboutRefusals } from '../harness/check-answer.js';
import type { FuzzRequest } from './requests.js';

/** A guard against an answer that never comes, in milliseconds. */
const HANG_MS = 30_000;

/** What came of a request: the first status, and what is wrong with the answer. */
export interface Sent {
  status: number | 'left' | 'closed';
  problem: string | undefined;
}

/** Sends one request and judges its answer. */
export function send(port: number, agent: http.Agent, request: FuzzRequest): Promise<Sent> {
  return request.kind === 'bytes' ? sendBytes(port, request.bytes) : sendHttp(port, agent, request);
}

type HttpRequest = Extract<FuzzRequest, { kind: 'http' }>;

function sendHttp(port: number, agent: http.Agent, request: HttpRequest): Promise<Sent> {
  const { method, path, headers, body, leaveAfterMs, documented } = request;
  return new Promise((resolve) => {
    let left = false;
    const done = (status: Sent['status'], problem?: string): void => {
      clearTimeout(leaving);
      clearTimeout(guard);
      resolve({ status, problem });
    };
    const leave = (): void => {
      left = true;
      req.destroy();
      done('left');
    };
    let req: http.ClientRequest;
    try {
      req = http.request({ host: '127.0.0.1', port, agent, method, path, headers });
    } catch (error) {
      // What the client itself refuses to send is sent as bytes elsewhere.
      resolve({ status: 'left', problem: (error as Error).name === 'TypeError' ? undefined : String(error) });
      return;
    }
    const leaving = leaveAfterMs === undefined ? undefined : setTimeout(leave, leaveAfterMs);
    const guard = setTimeout(() => {
      left = true;
      req.destroy();
      done('closed', 'no answer');
    }, HANG_MS);
    req.on('error', (error) => {
      if (!left) done('closed', `no answer: ${error.message}`);
    });
    req.on('upgrade', () => done('closed', 'upgraded'));
    req.on('response', (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', (error) => {
        if (!left) done('closed', `answer broke off: ${error.message}`);
      });
      res.on('end', () => {
        const status = res.statusCode ?? 0;
        const text = Buffer.concat(chunks).toString();
        const contentType = res.headers['content-type'] ?? '';
        const problem = problemOf(status, text, documented);
        if (problem !== undefined) done(status, problem);
        else
          void complaintAbout({ method, path, status, contentType, text, isWhole: true }).then(
            (complaint) => {
              done(status, complaint);
            },
          );
      });
    });
    req.end(body);
  });
}

/** Writes bytes, ends its side, and reads until the server does the same. */
function sendBytes(port: number, bytes: Buffer): Promise<Sent> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.end(bytes));
    let answer = '';
    const guard = setTimeout(() => {
      socket.destroy();
      resolve({ status: 'closed', problem: 'the connection stays' });
    }, HANG_MS);
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      answer += chunk;
      // A stream has no end of its own.
      if (answer.includes('text/event-stream')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(guard);
      const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
      const bad = statuses.find((status) => status >= 500);
      const status = statuses[0] ?? 'closed';
      if (bad !== undefined) resolve({ status, problem: `answered ${bad}: ${answer.slice(0, 500)}` });
      else
        void complaintAboutRefusals(Buffer.from(answer, 'latin1')).then((problem) =>
          resolve({ status, problem }),
        );
    });
  });
}

function problemOf(status: number, text: string, documented: number[] | undefined): string | undefined {
  if (status >= 500 || status < 100) return `answered ${status}: ${text.slice(0, 500)}`;
  if (documented !== undefined && !documented.includes(status))
    return `status ${status} is not in the specification`;
  return undefined;
}
