import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Accelerator } from '../accelerator.ts';
import { type ErrorCode, isErrorCode, type Place, ReveilleError } from '../errors.ts';

/** A request to a rack in the background. `names` empty: all machines. */
export type LabRequest =
  | { readonly op: 'status' | 'down' }
  | { readonly op: 'boot' | 'reset' | 'off'; readonly names: readonly string[] };

/** A rack in the background, as `lab status --json` prints it. */
export type LabStatus = {
  readonly site: string;
  readonly state: string;
  /** The process that holds the rack. */
  readonly pid: number;
  /** The current step of the set-up. Once the rack stands this is absent, and the other fields are set. */
  readonly doing?: string;
  readonly accelerator?: Accelerator;
  /** The first process inside the rack's namespaces. */
  readonly insidePid?: number;
  readonly machines: readonly {
    readonly name: string;
    readonly on: boolean;
    readonly macs: readonly string[];
    readonly console: string;
  }[];
  readonly cloud?: CloudStatus;
};

/** The controller beside a rack. */
export type CloudStatus = {
  readonly runs: boolean;
  /** Its first process, by its pid inside the rack. */
  readonly pid: number;
  /** Where Keystone answers inside the rack. */
  readonly url: string;
  /** Holds the entry `lab`. */
  readonly cloudsFile: string;
  readonly logs: string;
};

/** An error on its way between processes. */
export type SentError = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly place?: Place;
};

type Answer = { readonly ok: true; readonly status: LabStatus } | { readonly ok: false; readonly failure: SentError };

const LONGEST_REQUEST = 1_000_000;

/** Answers requests at the Unix socket `path`: one JSON line in, one out. Only the socket's own user may ask. */
export async function listenAt(path: string, act: (request: LabRequest) => Promise<LabStatus>): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    lineFrom(socket)
      .then((line) => act(JSON.parse(line) as LabRequest))
      .then(
        (status): Answer => ({ ok: true, status }),
        (error): Answer => ({ ok: false, failure: failureOf(error) }),
      )
      .then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
  });
  const mask = process.umask(0o077);
  try {
    server.listen(path);
    await once(server, 'listening');
  } finally {
    process.umask(mask);
  }
  return server;
}

/** Asks the rack at the Unix socket `path`; `undefined` if there is none. Throws what the rack answers. */
export async function askRack(path: string, request: LabRequest): Promise<LabStatus | undefined> {
  const socket = createConnection(path);
  try {
    await once(socket, 'connect');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // A rack that was killed leaves a socket file without a listener.
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    throw new ReveilleError('LAB_FAILED', `the rack at ${path} cannot be asked: ${(error as Error).message}`, {
      hint: 'It belongs to the user who set it up.',
      cause: error,
    });
  }
  socket.write(`${JSON.stringify(request)}\n`);
  const answer = JSON.parse(await lineFrom(socket)) as Answer;
  socket.end();
  if (answer.ok) return answer.status;
  throw errorOf(answer.failure);
}

async function lineFrom(socket: Socket): Promise<string> {
  let text = '';
  for await (const piece of socket.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += piece;
    if (text.includes('\n') || text.length > LONGEST_REQUEST) break;
  }
  if (text.includes('\n')) return text;
  throw new ReveilleError('LAB_FAILED', 'the rack ended before it answered');
}

/** An error as another process gets it; one that is not a ReveilleError becomes LAB_FAILED. */
export function failureOf(error: unknown): SentError {
  const { code, message, hint, place } = error as Partial<ReveilleError>;
  return {
    code: code !== undefined && isErrorCode(code) ? code : 'LAB_FAILED',
    message: message ?? String(error),
    ...(hint === undefined ? {} : { hint }),
    ...(place === undefined ? {} : { place }),
  };
}

/** The error that another process sent. */
export function errorOf({ code, message, ...more }: SentError): ReveilleError {
  return new ReveilleError(code, message, more);
}
