import { request } from 'node:http';
import { join } from 'node:path';
import { ERROR_CODES, type ErrorCode, ReveilleError } from '../errors.ts';

/** The Unix socket of the server that keeps its state in `stateFolder`. */
export function socketPath(stateFolder: string): string {
  return join(stateFolder, 'reveille.sock');
}

/** How to ask, where it is not a plain question; the signal ends it early. */
export type How = { readonly method?: 'POST'; readonly signal?: AbortSignal };

/**
 * Asks the running server, over its Unix socket. Resolves to the body's stream of text pieces.
 * Throws SERVER_UNREACHABLE if no server answers, or if it ends before its answer does; REQUEST_INVALID if it refuses.
 */
export async function ask(stateFolder: string, path: string, how: How = {}): Promise<AsyncIterable<string>> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: socketPath(stateFolder), path, ...how }, async (response) => {
      response.setEncoding('utf8');
      if (response.statusCode === 200) return resolve(toItsEnd(response, how.signal));
      reject(await refusalIn(response, `the server answered ${response.statusCode} to ${path}`));
    });
    asking.on('error', (cause) =>
      reject(
        new ReveilleError('SERVER_UNREACHABLE', `no server answers at ${socketPath(stateFolder)}: ${cause.message}`, {
          hint: 'Start it with `reveille serve`, or name its state folder with --state; the socket is for its own user and group.',
          cause,
        }),
      ),
    );
    asking.end();
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

/** The server's own words where it gave any (see http/answer.ts), else `otherwise`. */
async function refusalIn(body: AsyncIterable<string>, otherwise: string): Promise<ReveilleError> {
  try {
    let text = '';
    for await (const piece of body) text += piece;
    const { code, message, hint } = JSON.parse(text) as { code: ErrorCode; message: string; hint?: string };
    if (Object.hasOwn(ERROR_CODES, code)) return new ReveilleError(code, message, hint === undefined ? {} : { hint });
  } catch {}
  return new ReveilleError('REQUEST_INVALID', otherwise);
}

/** One JSON answer of the running server. */
export async function askJson(stateFolder: string, path: string, how?: How): Promise<unknown> {
  let body = '';
  for await (const piece of await ask(stateFolder, path, how)) body += piece;
  return JSON.parse(body);
}

/** The server's NDJSON answer, one parsed line after the other, until it or the signal ends. */
export async function* askLines(stateFolder: string, path: string, how?: How): AsyncGenerator<unknown> {
  let rest = '';
  for await (const piece of await ask(stateFolder, path, how)) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line);
  }
}
