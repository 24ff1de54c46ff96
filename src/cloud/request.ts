import { ReveilleError, wordsOf } from '../errors.ts';
import { type HttpAnswer, httpAsk, type Tls } from '../net/httpAsk.ts';

const ANSWER_MS = 30_000;
const LONGEST_ANSWER = 64 * 1024 * 1024;

/** One request of a service of the cloud, as `httpAsk` sends it. Throws CLOUD_UNREACHABLE where the cloud does not answer. */
export async function ask(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: unknown,
  tls: Tls,
): Promise<HttpAnswer> {
  const { origin } = addressOf(url);
  try {
    return await httpAsk({ method, url, headers, body, tls, waitMs: ANSWER_MS, longest: LONGEST_ANSWER });
  } catch (cause) {
    throw new ReveilleError('CLOUD_UNREACHABLE', `${origin} does not answer: ${wordsOf(cause)}`, { cause });
  }
}

/** The catalogue of a cloud, and endpoints written by hand, may hold anything. */
function addressOf(url: string): URL {
  const address = URL.parse(url);
  if (address && /^https?:$/.test(address.protocol)) return address;
  throw new ReveilleError('CLOUD_UNREACHABLE', `${JSON.stringify(url)} is not the address of a service`);
}
