import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The functions of the addon in `native/`, which `setup/native` compiles. Those that call the system throw errors with its code. */
export type Native = {
  /** Gives the thread that calls this niceness (0 to 19): on busy processors, others come first. */
  lowerPriority(niceness: number): void;

  /** UDP sockets in batches (see `UdpBatch`). Numbers that are returned are 0 or those of errno, unless said otherwise. */
  udpOpen(onTurn: (count: number) => void): {
    readonly handle: NativeBatch;
    readonly received: ArrayBuffer;
    readonly datagrams: ArrayBuffer;
    readonly queued: ArrayBuffer;
    readonly arena: ArrayBuffer;
  };
  udpClose(batch: NativeBatch): void;
  /** Takes over a descriptor, where it returns 0. */
  udpAdd(batch: NativeBatch, slot: number, fd: number, shared: 0 | 1): number;
  udpRemove(batch: NativeBatch, slot: number): void;
  /** Sends the first records that are queued; how many of them were not accepted whole. */
  udpSend(batch: NativeBatch, count: number): number;
  /** The number of the mapping; below 0 an error's. */
  udpMap(batch: NativeBatch, fd: number, size: number): number;
  udpUnmap(batch: NativeBatch, map: number): void;
  udpPopulate(batch: NativeBatch, map: number, from: number, length: number): Promise<number>;
} & HttpNative;

declare const engine: unique symbol;
/** An engine of `native/http.c`, which belongs to the thread that opened it. */
export type NativeHttpEngine = { readonly [engine]: true };

/** What `native/http_binding.c` exports; `HttpEngine` says what each does. */
export type HttpNative = {
  httpOpen(
    most: number,
    mostEach: number,
    headMs: number,
    idleMs: number,
    stallMs: number,
    crowded: Uint8Array,
    timedOut: Uint8Array,
    tooLarge: Uint8Array,
    onRecords: (records: Buffer) => void,
  ): NativeHttpEngine;
  httpListen(engine: NativeHttpEngine, ip: number, port: number, sharesPort: boolean): number;
  httpAnswer(
    engine: NativeHttpEngine,
    id: number,
    head: Uint8Array,
    body: Uint8Array | undefined,
    closes: boolean,
  ): boolean;
  /** `state`: size, seconds and nanoseconds of the time of change of a file that may be edited. */
  httpSend(
    engine: NativeHttpEngine,
    id: number,
    head: Uint8Array,
    fd: number,
    first: number,
    length: number,
    state: BigInt64Array | undefined,
  ): boolean;
  httpCut(engine: NativeHttpEngine, id: number): boolean;
  httpProgress(engine: NativeHttpEngine, id: number): number;
  /** `path` ends in a byte 0; `state`: device, inode, size, then seconds and nanoseconds of the times of change and of status change. */
  httpKeep(
    engine: NativeHttpEngine,
    target: Uint8Array,
    head: Uint8Array,
    body: Uint8Array,
    path: Uint8Array,
    state: BigInt64Array,
    token: number,
  ): void;
  httpForget(engine: NativeHttpEngine): void;
  httpGauges(
    engine: NativeHttpEngine,
  ): readonly [
    connections: number,
    refused: number,
    requests: number,
    files: number,
    bytes: number,
    unreported: number,
  ];
  httpClose(engine: NativeHttpEngine): void;
};

declare const BATCH: unique symbol;
/** A batch of sockets, as the addon knows it. */
export type NativeBatch = { readonly [BATCH]: true };

const FOLDER = join(import.meta.dirname, '../../native');

/** Set to `no`: the portable code serves, as where the addon is not built. */
export const NATIVE_VARIABLE = 'REVEILLE_NATIVE';

let loaded: { readonly native: Native | undefined } | undefined;

/**
 * The addon; `undefined` where it is not compiled of these very sources, cannot be loaded, or `REVEILLE_NATIVE=no` is set. Whoever asks has a
 * portable path.
 */
export function native(): Native | undefined {
  loaded ??= { native: process.env[NATIVE_VARIABLE] === 'no' ? undefined : load() };
  return loaded.native;
}

function load(): Native | undefined {
  try {
    const addon = addonPath();
    return existsSync(addon) ? (createRequire(import.meta.url)(addon) as Native) : undefined;
  } catch {
    return undefined;
  }
}

/** Where `setup/native` puts the addon that these sources make. */
export function addonPath(): string {
  const hash = createHash('sha256');
  for (const ending of ['c', 'h']) {
    for (const file of globSync(`*.${ending}`, { cwd: FOLDER }).sort()) hash.update(readFileSync(join(FOLDER, file)));
  }
  return join(FOLDER, 'build', `${hash.digest('hex')}.node`);
}
