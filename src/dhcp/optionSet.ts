import { encode } from '../model/optionKinds.ts';
import type { Option } from '../model/options.ts';

/** Options by code, in the order in which they came or shall go, each with its whole value. */
export type Options = ReadonlyMap<number, Uint8Array>;

/** The two codes that are no options: filler, and the end of the list. */
export const PAD = 0;
export const END = 255;

/** What an option says; `undefined` if it is absent or its bytes are not of its kind: a bad option costs only itself. */
export function read<T>(options: Options, option: Option<T>): T | undefined {
  const bytes = options.get(option.code);
  return bytes === undefined ? undefined : option.kind.decode(bytes);
}

/** Sets an option. */
export function write<T>(options: Map<number, Uint8Array>, option: Option<T>, value: T): void {
  options.set(option.code, encode(option.kind, value));
}
