import { request } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrorCode, ReveilleError } from '../errors.ts';
import type {
  AnswerOf,
  AnyValues,
  Contract,
  JsonContract,
  LinesContract,
  ValuesOf,
} from '../http/contracts/contract.ts';
import { writeRequest } from '../http/contracts/request.ts';
import { type RemoteFlags, type Way, wayOver } from './remote.ts';

/** The Unix socket of the server that keeps its state in `stateFolder`. */
export function socketPath(stateFolder: string): string {
  return join(stateFolder, 'reveille.sock');
}

/** Which server is asked: that of a state folder on this machine or, by its URL, one on another. */
export type ServerFlags = RemoteFlags & { readonly state: string };

/** Ends a request early. */
export type Until = { readonly signal?: AbortSignal };

/**
 * The running server's answer to a request, over its Unix socket. Throws SERVER_UNREACHABLE if no server answers, or if it ends before its
 * answer does; what the server refuses with; REQUEST_INVALID if it answers something else than the contract says.
 */
export async function ask<C extends JsonContract>(
  server: string | ServerFlags,
  contract: C,
  values: ValuesOf<C>,
  until: Until = {},
): Promise<AnswerOf<C>> {
  let text = '';
  for await (const piece of await send(server, contract, values, until)) text += piece;
  return answerIn(contract, text);
}

/** The lines of the running server's answer, one after the other, until it or the signal ends. Throws as `ask` does. */
export async function* askLines<C extends LinesContract>(
  server: string | ServerFlags,
  contract: C,
  values: ValuesOf<C>,
  until: Until = {},
): AsyncGenerator<AnswerOf<C>> {
  let rest = '';
  for await (const piece of await send(server, contract, values, until)) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield answerIn(contract, line);
  }
}

/** Resolves to the body's stream of text pieces. */
async function send(
  server: string | ServerFlags,
  contract: Contract,
  values: AnyValues,
  { signal }: Until,
): Promise<AsyncIterable<string>> {
  const { body, ...line } = writeRequest(contract, values);
  const way = await wayTo(server);
  const headers = {
    accept: contract.form === 'json' ? 'application/json' : 'application/x-ndjson',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...way.headers,
  };
  return new Promise((resolve, reject) => {
    const sent = way.request({ ...line, headers, ...(signal && { signal }) });
    sent.on('response', async (response) => {
      response.setEncoding('utf8');
      if (response.statusCode === 200) return resolve(toItsEnd(response, signal));
      reject(await refusalIn(response, `the server answered ${response.statusCode} to ${line.path}`));
    });
    sent.on('error', (cause) => reject(cause instanceof ReveilleError ? cause : way.unreachable(cause)));
    sent.end(body);
  });
}

/** How requests get to a server. */
async function wayTo(server: string | ServerFlags): Promise<Way> {
  const flags = typeof server === 'string' ? { state: server } : server;
  if (flags.server !== undefined) return wayOver({ ...flags, server: flags.server });
  const path = socketPath(flags.state);
  return {
    headers: {},
    request: (options) => request({ socketPath: path, ...options }),
    unreachable: (cause) =>
      new ReveilleError('SERVER_UNREACHABLE', `no server answers at ${path}: ${cause.message}`, {
        hint: 'Start it with `reveille serve`, or name its state folder with --state; the socket is for its own user and group.',
        cause,
      }),
  };
}

async function* toItsEnd(body: AsyncIterable<string>, signal?: AbortSignal): AsyncGenerator<string> {
  try {
    yield* body;
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ReveilleError('SERVER_UNREACHABLE', 'the server ended before its answer did', { cause });
  }
}

const refusal = z.object({
  code: z.string().refine(isErrorCode),
  message: z.string(),
  hint: z.string().exactOptional(),
});

/** The server's own refusal where it gave one (see http/answer.ts), else `otherwise`. */
async function refusalIn(body: AsyncIterable<string>, otherwise: string): Promise<ReveilleError> {
  try {
    let text = '';
    for await (const piece of body) text += piece;
    const { code, message, ...more } = refusal.parse(JSON.parse(text));
    return new ReveilleError(code, message, more);
  } catch {
    return new ReveilleError('REQUEST_INVALID', otherwise);
  }
}

/** What the server sent, if it is of the contract's form: a server of another release may answer otherwise. */
function answerIn<C extends Contract>({ path, answer }: C, text: string): AnswerOf<C> {
  const value: unknown = JSON.parse(text);
  if (isAnswer<C>(answer, value)) return value;
  throw new ReveilleError(
    'REQUEST_INVALID',
    `the server's answer to ${path} is not of the form that this command reads`,
    {
      hint: 'The server may run another release: restart it.',
    },
  );
}

/** Fields that the contract does not name are left where they are. */
function isAnswer<C extends Contract>(schema: z.ZodType, value: unknown): value is AnswerOf<C> {
  return schema.safeParse(value).success;
}
