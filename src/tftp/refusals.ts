import { cleanName } from '../boot/confine.ts';
import { ERROR, printable, type Request } from './packet.ts';

/** Why a request gets no file whatever lies on disk: an error for the client, and for the timeline. */
export type Refusal = { readonly code: number; readonly message: string };

const LONGEST_MODE = 20;

/** What is refused by the request alone; `undefined` if its file is to be looked for. */
export function refusalOf(request: Request): Refusal | undefined {
  if (request.kind === 'wrq') return { code: ERROR.ACCESS, message: 'access denied: this server is read-only' };
  if (request.mode !== 'octet' && request.mode !== 'netascii') {
    const mode = printable(request.mode.slice(0, LONGEST_MODE));
    return { code: ERROR.ILLEGAL, message: `mode ${mode} is not supported` };
  }
  if (cleanName(request.file) !== undefined) return undefined;
  return { code: ERROR.ACCESS, message: 'access denied: the name leaves the boot files' };
}
