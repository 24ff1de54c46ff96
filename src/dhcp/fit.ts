import { UNSPECIFIED } from '../model/ipv4.ts';
import { macFromBytes } from '../model/mac.ts';
import { OPTION } from '../model/options.ts';
import { clientOf } from './client.ts';
import type { Layers } from './given.ts';
import { sizeOf } from './layout.ts';
import { write } from './optionSet.ts';
import { encodeWithin, MESSAGE, requestFrom } from './packet.ts';
import { type Answerable, boundsFor, composeReply } from './reply.ts';

/** What the options of a reply take, and which of them the client is not given. */
export type Fit = {
  /** With the magic cookie and the end mark. */
  readonly bytes: number;
  readonly left: readonly number[];
};

/** What the options of a message may take that every client takes (RFC 2131 section 2). */
export const ROOM_OF_ALL = 312;

/** A client of an operating system that does not say how much it takes and is given all that there is. */
const PLAIN = plainExchange();
const COOKIE_AND_END = 5;

function plainExchange(): Answerable {
  const options = new Map<number, Uint8Array>();
  write(options, OPTION.messageType, MESSAGE.request);
  write(options, OPTION.clientId, Uint8Array.of(1, 2, 0, 0, 0, 0, 1));
  const request = requestFrom(macFromBytes(Uint8Array.of(2, 0, 0, 0, 0, 1)), options);
  return { request, client: clientOf(request), relay: undefined };
}

/** How what these layers give fits a plain client. */
export function fitOf(layers: Layers): Fit {
  const reply = composeReply('ack', {
    ...layers,
    exchange: PLAIN,
    ip: UNSPECIFIED,
    seconds: layers.network.leaseSeconds,
    boot: { kind: 'none', reason: { code: 'not-listed' } },
  });
  const bytes = [...reply.options.values()].reduce((sum, value) => sum + sizeOf(value), COOKIE_AND_END);
  return { bytes, left: encodeWithin(reply, boundsFor(PLAIN)).left };
}
