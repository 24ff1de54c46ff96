/**
 * Calls the addon's UDP batch with random arguments, records and datagrams, under AddressSanitizer and UBSan. Run as:
 *
 *   node test/fuzz/native/udp.ts [SECONDS] [SEED]
 *
 * It compiles the addon with gcc into a scratch folder, and exits 1 with the sanitizer's report where something is found.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { globSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Native } from '../../../src/net/native.ts';
import { bindDescriptor } from '../../../src/net/udp.ts';
import { LOCAL } from '../../../src/tftp/testing/fixture.ts';

const ROOT = join(import.meta.dirname, '../../..');
const seconds = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? 1);

if (process.env.FUZZED_ADDON === undefined) runUnderAsan();
else await fuzz(createRequire(import.meta.url)(process.env.FUZZED_ADDON) as Native);

function runUnderAsan(): void {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-udp-'));
  try {
    const addon = join(folder, 'asan.node');
    const include = globSync('node_modules/node-linux-*/include/node', { cwd: ROOT }).map(
      (path) => `-I${join(ROOT, path)}`,
    );
    const sources = globSync('native/*.c', { cwd: ROOT }).map((path) => join(ROOT, path));
    const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer'];
    execFileSync('gcc', [
      '-std=gnu17',
      '-O1',
      '-g',
      '-fPIC',
      '-shared',
      ...sanitize,
      ...include,
      '-o',
      addon,
      ...sources,
    ]);
    const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
      execFileSync('gcc', [`-print-file-name=${name}`])
        .toString()
        .trim(),
    );
    const { status } = spawnSync(
      process.execPath,
      [...process.execArgv, import.meta.filename, `${seconds}`, `${seed}`],
      {
        stdio: 'inherit',
        env: {
          ...process.env,
          FUZZED_ADDON: addon,
          LD_PRELOAD: libraries.join(' '),
          // Node.js frees little of what it has as it ends, and handles SIGSEGV itself.
          ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0:abort_on_error=0:exitcode=1',
        },
      },
    );
    process.exitCode = status ?? 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function fuzz(native: Native): Promise<void> {
  let state = seed >>> 0;
  /** A linear congruential generator: the upper bits of its state. */
  const below = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  const EDGES = [
    0,
    1,
    2,
    3,
    7,
    8,
    255,
    256,
    512,
    1023,
    1024,
    1025,
    1468,
    4095,
    4096,
    4097,
    65_464,
    65_535,
    65_536,
    2 ** 20,
  ];
  const LARGE = [
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 2,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    -1,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ];
  const edge = (): number => (below(8) === 0 ? (LARGE[below(LARGE.length)] ?? 0) : (EDGES[below(EDGES.length)] ?? 0));
  const word = (): number => (below(3) === 0 ? edge() : below(64));

  const file = join(tmpdir(), `fuzz-udp-${process.pid}`);
  writeFileSync(file, Buffer.alloc(300_000, 'x'));
  const fd = openSync(file, 'r');
  const client = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
  client.on('error', () => {});
  const counts = { calls: 0, thrown: 0, received: 0, batches: 0, sent: 0 };
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    counts.batches++;
    const { handle, queued, arena } = native.udpOpen((count) => {
      counts.received += count;
    });
    const records = new Uint32Array(queued);
    new Uint8Array(arena).fill(counts.batches);
    const ports: number[] = [];
    for (let slot = 0; slot < 8; slot++) {
      const probe = dgram.createSocket('udp4').bind(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address();
      probe.close();
      await once(probe, 'close');
      if (native.udpAdd(handle, slot, bindDescriptor({ address: LOCAL, port }), slot & 1 ? 1 : 0) === 0)
        ports.push(port);
    }
    const populating: Promise<unknown>[] = [];
    for (let i = 0; i < 300; i++) {
      counts.calls++;
      try {
        switch (below(9)) {
          case 0:
            native.udpMap(handle, below(4) === 0 ? edge() : fd, below(4) === 0 ? edge() : 300_000);
            break;
          case 1:
            native.udpUnmap(handle, word());
            break;
          case 2:
            populating.push(native.udpPopulate(handle, below(4), below(300_001), word()).catch(() => {}));
            break;
          case 3:
            native.udpRemove(handle, below(20) === 0 ? word() : 100_000);
            break;
          case 4:
            truncateSync(file, [300_000, 100, 0, 4096][below(4)]);
            break;
          case 5: {
            const port = ports[below(ports.length)];
            if (port !== undefined)
              client.send(Buffer.alloc([0, 1, 3, 4, 512, 2048, 2049, 9000][below(8)] ?? 0), port, '127.0.0.1');
            break;
          }
          default: {
            const count = below(20) === 0 ? edge() : below(16);
            for (let r = 0; r < Math.min(count, 1024); r++) {
              const to = [below(9), 0x7f000001, below(8) === 0 ? edge() : client.address().port];
              const what =
                below(2) === 0
                  ? [0xffffffff, word(), below(20) === 0 ? word() : below(3000), 100 + word()]
                  : [below(4), 1 + below(600), below(10) === 0 ? word() : below(5), below(3) === 0 ? word() : 512];
              records.set([...to, ...what], r * 9);
            }
            native.udpSend(handle, count);
            counts.sent += 1;
          }
        }
      } catch {
        counts.thrown++;
      }
      if (below(20) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (below(2) === 0) native.udpClose(handle);
    await Promise.all(populating);
    native.udpClose(handle);
    for (const call of [native.udpSend, native.udpRemove, native.udpUnmap]) call(handle, 0);
  }
  client.close();
  rmSync(file);
  console.log(`seed ${seed}, ${seconds} s, nothing found: ${JSON.stringify(counts)}`);
}
