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

/** The Unix socket of the server that keeps its state in `stateFolder`. */
export function socketPath(stateFolder: string): string {
  return join(stateFolder, 'reveille.sock');
}

/** Ends a request early. */
export type Until = { readonly signal?: AbortSignal };

/**
 * The running server's answer to a request, over its Unix socket. Throws SERVER_UNREACHABLE if no server answers, or if it ends before its
 * answer does; what the server refuses with; REQUEST_INVALID if it answers something else than the contract says.
 */
export async function ask<C extends JsonContract>(
  stateFolder: string,
  contract: C,
  values: ValuesOf<C>,
  until: Until = {},
): Promise<AnswerOf<C>> {
  let text = '';
  for await (const piece of await send(stateFolder, contract, values, until)) text += piece;
  return answerIn(contract, text);
}

/** The lines of the running server's answer, one after the other, until it or the signal ends. Throws as `ask` does. */
export async function* askLines<C extends LinesContract>(
  stateFolder: string,
  contract: C,
  values: ValuesOf<C>,
  until: Until = {},
): AsyncGenerator<AnswerOf<C>> {
  let rest = '';
  for await (const piece of await send(stateFolder, contract, values, until)) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield answerIn(contract, line);
  }
}

/** Resolves to the body's stream of text pieces. */
function send(
  stateFolder: string,
  contract: Contract,
  values: AnyValues,
  { signal }: Until,
): Promise<AsyncIterable<string>> {
  const { body, ...line } = writeRequest(contract, values);
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: socketPath(stateFolder), ...line, headers, ...(signal && { signal }) },
      async (response) => {
        response.setEncoding('utf8');
        if (response.statusCode === 200) return resolve(toItsEnd(response, signal));
        reject(await refusalIn(response, `the server answered ${response.statusCode} to ${line.path}`));
      },
    );
    sent.on('error', (cause) =>
      reject(
        new ReveilleError('SERVER_UNREACHABLE', `no server answers at ${socketPath(stateFolder)}: ${cause.message}`, {
          hint: 'Start it with `reveille serve`, or name its state folder with --state; the socket is for its own user and group.',
          cause,
        }),
      ),
    );
    sent.end(body);
  });
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
