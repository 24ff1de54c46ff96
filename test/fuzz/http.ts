import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Random } from '../rig/random.ts';
import { type Fuzzer, type Heard, type HttpInput, shapeOf, slowness } from './input.ts';
import { bend, havoc, NUMBERS, splice } from './mutate.ts';
import { type Canary, canaryIn, NEVER_SHOWN, OF_IMPERSONATED } from './secrets.ts';
import { HTTP_IMPERSONATED } from './site.ts';

const SERVER = { host: '10.0.0.2', port: 8080 } as const;
/** The server's address on the second wire, and ours there. */
const ON_GUESTS = { host: '10.20.0.2', port: 8080, localAddress: '10.20.0.100' } as const;
/** Addresses of this namespace: those of impersonated nodes, one of no node, and one on the second wire. */
const FROM = [...HTTP_IMPERSONATED.map(({ ip }) => ip), '10.0.0.100', ON_GUESTS.localAddress];
const PATIENCE_MS = 250;
/** After a whole answer others are waited for so long: to a second request, or one that should not be. */
const AFTER_WHOLE_MS = 4;
/** A request that is sent in pieces takes so long at most. */
const LONGEST_MS = 2500;
const MOST_READ = 512 * 1024;
const LONGEST_PART = 2 * 1024 * 1024;

const METHODS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PATCH',
  'QUERY',
  'GE T',
  'get',
];
const PATHS = [
  '/boot/files/hello.txt',
  '/boot/files/big.bin',
  '/boot/files/empty',
  '/boot/files/link-in',
  '/boot/files/link-out/canary.txt',
  '/boot/files/../site.yaml',
  '/boot/files/%2e%2e/site.yaml',
  '/boot/files/..%2f..%2foutside/canary.txt',
  '/boot/files/%252e%252e/site.yaml',
  '/boot/files/..%5csite.yaml',
  '/boot/files//etc/passwd',
  '/boot/files/%00',
  '/boot/files/sub',
  '/boot/files/',
  '/boot/ipxe/52:54:00:00:01:01',
  '/boot/ipxe/52-54-00-00-00-51',
  '/boot/ipxe/zz',
  '/boot/images/IMAGE/vmlinuz',
  '/boot/images/IMAGE/initrd',
  '/boot/images/IMAGE/root.squashfs',
  '/boot/images/IMAGE/manifest.json',
  '/boot/images/../../../reveille.db/initrd',
  '/',
  '*',
  '/api/v1/status',
  '/%ff%fe',
];
const NODE_PATHS = [
  '/node/v1/bundle',
  '/node/v1/bundle',
  '/node/v1/inventory',
  '/node/v1/report',
  '/node/v1/applied',
  '/node/v1/opened',
  '/node/v1/wait',
  '/node/v1/nothing',
];
const OPERATOR_PATHS = [
  '/api/v1/status',
  '/api/v1/events',
  '/api/v1/events?limit=5',
  '/api/v1/events?since=0&limit=100000',
  '/api/v1/diff?node=asked1',
  '/api/v1/sync',
  '/api/v1/rolls',
  '/api/v1/rolls/x',
  '/api/v1/rolls/x/abort',
  '/api/v1/rolls/x/resume',
  '/api/v1/leases',
  '/api/v1/leases/10.0.0.1/release',
  '/metrics',
  '/',
];
/** Bodies of operators' requests, each of them nearly one that a route takes. */
const OPERATOR_BODIES = [
  '{"nodes":"asked1","timeoutMs":1}',
  '{"nodes":"asked[1-900000]","dryRun":true}',
  '{"drifted":true,"dryRun":true,"maxUnavailable":9007199254740993}',
  '{"bootMs":1e99,"policy":"none"}',
  '{"nodes":["asked1"],"__proto__":{"dryRun":true}}',
  '[[[[[[',
  '',
].map((body) => Buffer.from(body));
const QUERIES = [
  'token=want',
  'token=body',
  'time=0',
  'time=1e99',
  'boot=12345678-1234-1234-1234-123456789abc',
  'seconds=0',
  'seconds=300',
  'applied=IMAGE',
  'image=IMAGE',
  'image=small',
  'image=../x',
  'sync=x',
  'mac=52:54:00:00:00:51',
  'x=%ff',
  'a[b]=c',
  '__proto__=1',
];
const HEADERS = [
  'Range: bytes=0-',
  'Range: bytes=0-99',
  'Range: bytes=-1',
  'Range: bytes=5-2',
  'Range: bytes=99999-100001',
  'Range: bytes=0-1,5-9',
  'Range: lines=1-2',
  'If-Range: "x"',
  'If-None-Match: *',
  'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: xchunked',
  'Content-Length: 0',
  'Content-Length: 10',
  'Content-Length: 99999999999999999999',
  'Content-Length: -1',
  'Content-Length: 5, 6',
  'Content-Encoding: gzip',
  'Content-Type: application/json',
  'Content-Type: text/plain; charset=x',
  'Expect: 100-continue',
  'Connection: close',
  'Connection: upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'x-reveille-token: %TOKEN%',
  `x-reveille-token: ${'0'.repeat(64)}`,
  'x-reveille-token: ',
  `x-reveille-token: ${'f'.repeat(5000)}`,
  'Host: a, b',
  'X-Forwarded-For: 10.0.0.51',
  'Accept-Encoding: gzip',
  `X-Long: ${'a'.repeat(17_000)}`,
  '\u00ff\u00fe: 1',
  'No colon here',
  ' folded: yes',
];

const ROUTE =
  /^[A-Z]+ (\/(?:boot\/(?:files|ipxe|images)|node\/v1\/(?:bundle|inventory|report|applied|opened|wait)|api\/v1\/(?:status|events|diff|sync|rolls|leases)))\b/;
const BOOT = '12345678-1234-1234-1234-123456789abc';
const BODIES: Readonly<Record<string, readonly Buffer[]>> = {
  inventory: [
    text(
      'reveille.inventory=1\narch=x86_64\nkernel=6.1\nsystem.serial=S1\ncpu.count=4\nmemory.kib=1000\nnic.0.name=eth0\nnic.0.mac=52:54:00:00:01:01\nnic.0.boot=1\nnic.0.up=1\ndisk.0.name=sda\ndisk.0.bytes=1000\n',
    ),
    text(
      `reveille.inventory=1\n${Array.from({ length: 3000 }, (_, i) => `nic.${i}.name=e${i}\nnic.${i}.mac=52:54:00:00:01:01\n`).join('')}`,
    ),
    text(`reveille.inventory=1\nsystem.serial={{ secrets.others }}\u009b31m\u202e${'x'.repeat(900)}\n`),
  ],
  report: [
    text(`boot=${BOOT}\nseq=1\nstep=network\nstatus=done\nms=12\ndetail=fine\n\n`),
    text(`boot=${BOOT}\nseq=%SEQ%\nstep=hook\nstatus=failed\nms=12\n\n${'out \u001b[31m put\n'.repeat(400)}`),
    text(`boot=${BOOT}\nseq=%SEQ%\nstep=ready\nstatus=started\nms=0\nduring=service\n\n${'é\u202e'.repeat(2000)}`),
  ],
  applied: [
    text(
      `reveille.applied=1\nbundle=${'a'.repeat(64)}\nchanged=1\nremoved=0\nms=5\ndrifted=1\ndrift=content\t/etc/app.conf\n\nfile 0644 root root ${'b'.repeat(64)} /etc/app.conf\n`,
    ),
    text(
      `reveille.applied=1\nbundle=${'c'.repeat(64)}\n${'drift=missing\t/x\n'.repeat(5000)}\n${'file 0644 root root - /y\n'.repeat(20_000)}`,
    ),
  ],
  opened: [
    gzipSync(text('/bin/sh\n/etc/passwd\n')),
    gzipSync(Buffer.alloc(64 * 1024 * 1024)),
    gzipSync(text(Array.from({ length: 100_000 }, (_, i) => `/usr/lib/${i}/${'x'.repeat(100)}\n`).join(''))),
    gzipSync(text('/a\n')).subarray(0, 12),
  ],
  bundle: [
    text(''),
    text('reveille.manifest=1\n'),
    text(`token=%TOKEN%\n`),
    text('file 0644 root root - /etc/app.conf\n'.repeat(100)),
  ],
};

/** Fuzzes the machines' HTTP and the operators' socket over real connections. */
export class HttpFuzzer implements Fuzzer<HttpInput> {
  readonly protocol = 'http';
  readonly lanes = 12;
  readonly seeds: readonly HttpInput[];
  readonly #socket: string;
  readonly #image: string;
  readonly #heard: Heard;
  readonly #leaked: (canary: Canary, input: HttpInput) => void;
  /** Tokens by the address that they were given to. */
  readonly #tokens = new Map<string, string>();
  readonly #booted = new Set<string>();
  readonly #boot: (mac: string) => Promise<void>;
  #sequence = 0;

  /** `boot` has the firmware of a machine ask for its address. */
  constructor(
    socket: string,
    image: string,
    heard: Heard,
    leaked: (canary: Canary, input: HttpInput) => void,
    boot: (mac: string) => Promise<void>,
  ) {
    this.#boot = boot;
    this.#socket = socket;
    this.#image = image;
    this.#heard = heard;
    this.#leaked = leaked;
    this.seeds = this.#makeSeeds();
  }

  mutate(input: HttpInput, other: HttpInput, random: Random): HttpInput {
    if (random.chance(0.55)) return this.#fresh(random);
    let parts = input.parts.map((part) => ({ ...part }));
    for (let times = 1 + random.below(3); times > 0; times--) {
      const at = random.below(parts.length);
      const part = parts[at];
      if (!part) break;
      const bytes = Buffer.from(part.bytes, 'base64');
      const put = (changed: Buffer): void => {
        part.bytes = changed.subarray(0, LONGEST_PART).toString('base64');
      };
      switch (random.below(8)) {
        case 0:
          // A second request on the connection, at once or later.
          parts = [...parts, ...other.parts].slice(0, 12);
          break;
        case 1: {
          const cut = random.below(bytes.length + 1);
          parts.splice(
            at,
            1,
            { bytes: bytes.subarray(0, cut).toString('base64'), waitMs: random.pick([0, 1, 20, 200]) },
            { bytes: bytes.subarray(cut).toString('base64'), waitMs: 0 },
          );
          break;
        }
        case 2:
          put(withOtherHead(bytes, (line) => bend(line, random), random));
          break;
        case 3:
          put(withOtherHead(bytes, (line) => `${line}\r\n${random.pick(HEADERS)}`, random));
          break;
        case 4:
          put(havoc(bytes, random, LONGEST_PART));
          break;
        case 5:
          put(splice(bytes, Buffer.from(other.parts[0]?.bytes ?? '', 'base64'), random));
          break;
        case 6:
          parts = parts.slice(0, at + 1);
          break;
        default:
          put(Buffer.from(bytes.toString('latin1').replace(/[0-9]+/, random.pick(NUMBERS)), 'latin1'));
      }
    }
    return {
      ...input,
      ...(random.chance(0.3) ? { from: random.pick(FROM) } : {}),
      ...(random.chance(0.3) ? { end: random.pick(['wait', 'wait', 'half', 'reset'] as const) } : {}),
      parts,
    };
  }

  async play(input: HttpInput): Promise<void> {
    const asks = HTTP_IMPERSONATED.find(({ ip }) => ip === input.from);
    if (asks && !this.#tokens.has(asks.ip) && !this.#booted.has(asks.ip)) await this.#bootNode(asks);
    const since = performance.now();
    const way = input.from === ON_GUESTS.localAddress ? ON_GUESTS : { ...SERVER, localAddress: input.from };
    const socket = input.to === 'operators' ? connect(this.#socket) : connect(way);
    const answer = await talk(socket, this.#partsOf(input), input.end);
    this.#note(input, answer, performance.now() - since);
  }

  close(): void {}

  /** As a node does at its boot: its firmware asks for an address, and its agent for a token, which its later requests bear. */
  async #bootNode({ mac, ip }: { readonly mac: string; readonly ip: string }): Promise<void> {
    this.#booted.add(ip);
    await this.#boot(mac);
    const url = `/node/v1/bundle?mac=${mac}&token=want`;
    const input = request(`GET ${url} HTTP/1.1`, ['Host: 10.0.0.2'], text(''), {
      to: 'machines',
      from: ip,
      end: 'wait',
    });
    const socket = connect({ ...SERVER, localAddress: ip });
    this.#note(input, await talk(socket, this.#partsOf(input), 'wait'), 0);
  }

  *#partsOf(input: HttpInput): Generator<{ bytes: Buffer; waitMs: number }> {
    for (const { bytes, waitMs } of input.parts) {
      const raw = Buffer.from(bytes, 'base64');
      const isPlain = !raw.includes('%TOKEN%') && !raw.includes('%SEQ%');
      const filled = (): Buffer => {
        const token = this.#tokens.get(input.from) ?? '0'.repeat(64);
        const filledText = raw.toString('latin1').replaceAll('%TOKEN%', token);
        return Buffer.from(
          filledText.replaceAll('%SEQ%', () => String(++this.#sequence)),
          'latin1',
        );
      };
      yield { bytes: isPlain ? raw : filled(), waitMs };
    }
  }

  #note(input: HttpInput, answer: Buffer, ms: number): void {
    const isImpersonated = input.to === 'machines' && HTTP_IMPERSONATED.some(({ ip }) => ip === input.from);
    const leak = canaryIn(answer, isImpersonated ? NEVER_SHOWN : [...NEVER_SHOWN, OF_IMPERSONATED]);
    if (leak) this.#leaked(leak, input);
    const head = answer.toString('latin1', 0, 4096);
    const [, token] = /^x-reveille-token: ([0-9a-f]{64})\r$/im.exec(head) ?? [];
    if (token) this.#tokens.set(input.from, token);
    const note = (key: string): void => this.#heard(`http ${input.to} ${key}`, input);
    const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(head)?.[1] ?? (answer.length === 0 ? 'nothing' : 'no HTTP');
    const first = Buffer.from(input.parts[0]?.bytes ?? '', 'base64').toString('latin1', 0, 80);
    const route = ROUTE.exec(first)?.[1] ?? 'elsewhere';
    note(`${route} ${status}`);
    for (const [, name] of head.split('\r\n\r\n', 1)[0]?.matchAll(/^([A-Za-z-]+):/gm) ?? [])
      note(`${status} ${name?.toLowerCase()}`);
    const code = /"code":"([A-Z_]+)"/.exec(head)?.[1];
    if (code) note(`${status} ${code}`);
    const message = /"message":"([^"]*)"/.exec(head)?.[1];
    if (message) note(`${status} ${shapeOf(message)}`);
    note(`${answer.toString('latin1').split('HTTP/1.1 ').length - 1} answers`);
    const slow = ms > PATIENCE_MS + 100 ? undefined : slowness(ms);
    if (slow) note(`${route} ${status} ${slow}`);
  }

  #fresh(random: Random): HttpInput {
    const to = random.chance(0.12) ? 'operators' : 'machines';
    const impersonated = random.pick(HTTP_IMPERSONATED);
    const isNode = to === 'machines' && random.chance(0.6);
    const path = to === 'operators' ? random.pick(OPERATOR_PATHS) : random.pick(isNode ? NODE_PATHS : PATHS);
    const query = [
      ...(isNode && random.chance(0.95) ? [`mac=${impersonated.mac}`] : []),
      ...Array.from({ length: random.pick([0, 0, 1, 2]) }, () => random.pick(QUERIES)),
    ];
    const url = `${path}${query.length === 0 ? '' : `${path.includes('?') ? '&' : '?'}${query.join('&')}`}`.replaceAll(
      'IMAGE',
      this.#image,
    );
    const what = path.split('/').at(-1) ?? '';
    const body =
      isNode && random.chance(0.8)
        ? random.pick(BODIES[what] ?? [text('')])
        : to === 'operators' && random.chance(0.5)
          ? random.pick(OPERATOR_BODIES)
          : random.chance(0.1)
            ? random.bytes(random.below(200))
            : text('');
    const method = random.chance(0.2) ? random.pick(METHODS) : body.length > 0 ? 'POST' : 'GET';
    const headers = [
      'Host: 10.0.0.2',
      ...Array.from({ length: random.pick([0, 0, 0, 1, 2]) }, () => random.pick(HEADERS)),
    ];
    if (to === 'operators' && random.chance(0.8)) headers.push('Content-Type: application/json');
    if (isNode && random.chance(0.7)) headers.push('x-reveille-token: %TOKEN%');
    const sent = random.chance(0.15) && body.length > 0 ? havoc(body, random, LONGEST_PART) : body;
    return request(
      `${method} ${random.chance(0.05) ? bend(url, random) : url} HTTP/1.1`,
      headers,
      sent,
      {
        to,
        from: isNode && random.chance(0.9) ? impersonated.ip : random.pick(FROM),
        end: random.pick(['wait', 'wait', 'wait', 'wait', 'half', 'reset']),
      },
      random,
    );
  }

  #makeSeeds(): HttpInput[] {
    const plain = { to: 'machines', from: '10.0.1.1', end: 'wait' } as const;
    const node = 'mac=52:54:00:00:01:01';
    const token = 'x-reveille-token: %TOKEN%';
    const fill = (path: string): string => path.replaceAll('IMAGE', this.#image);
    return [
      ...PATHS.map((path) => request(`GET ${fill(path)} HTTP/1.1`, ['Host: x'], text(''), plain)),
      request(`GET /node/v1/bundle?${node}&token=want HTTP/1.1`, ['Host: x'], text(''), plain),
      request(`GET /node/v1/bundle?${node} HTTP/1.1`, ['Host: x', token], text(''), plain),
      request(`GET /node/v1/wait?${node}&seconds=1 HTTP/1.1`, ['Host: x', token], text(''), plain),
      ...Object.entries(BODIES).flatMap(([what, bodies]) =>
        bodies.map((body) =>
          request(`POST /node/v1/${what}?${node}&image=${this.#image} HTTP/1.1`, ['Host: x', token], body, plain),
        ),
      ),
      ...OPERATOR_PATHS.map((path) =>
        request(`GET ${path} HTTP/1.1`, ['Host: x'], text(''), { ...plain, to: 'operators' }),
      ),
    ];
  }
}

/** Sends the parts and gathers what comes back until the server closes, or nothing came for a while. */
function talk(
  socket: Socket,
  parts: Iterable<{ bytes: Buffer; waitMs: number }>,
  end: HttpInput['end'],
): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const gathered: Buffer[] = [];
  let length = 0;
  let quiet: NodeJS.Timeout | undefined;
  const finish = (): void => {
    clearTimeout(quiet);
    clearTimeout(longest);
    socket.destroy();
    resolve(Buffer.concat(gathered));
  };
  const longest = setTimeout(finish, LONGEST_MS);
  socket.on('error', () => {});
  socket.on('close', finish);
  const rest = (): void => {
    clearTimeout(quiet);
    quiet = setTimeout(finish, isWhole(gathered, length) ? AFTER_WHOLE_MS : PATIENCE_MS);
  };
  socket.on('data', (data: Buffer) => {
    gathered.push(data);
    length += data.length;
    if (length > MOST_READ) finish();
    else if (quiet) rest();
  });
  const send = async (): Promise<void> => {
    for (const { bytes, waitMs } of parts) {
      if (socket.destroyed) return;
      socket.write(bytes);
      if (waitMs > 0) await new Promise((wake) => setTimeout(wake, waitMs));
    }
    if (end === 'half') socket.end();
    if (end === 'reset') setTimeout(() => (socket.localAddress ? socket.resetAndDestroy() : socket.destroy()), 5);
    rest();
  };
  socket.once('connect', () => void send());
  return promise;
}

/** Whether the first answer is there with all of its body. */
function isWhole(gathered: readonly Buffer[], length: number): boolean {
  const head = gathered[0]?.toString('latin1', 0, 2048) ?? '';
  const end = head.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const body = /^content-length: ([0-9]+)\r$/im.exec(head)?.[1];
  return /^HTTP\/1\.[01] (204|304)/.test(head) || (body !== undefined && length >= end + 4 + Number(body));
}

type About = Pick<HttpInput, 'to' | 'from' | 'end'>;

/** A request as one part, or with its body in pieces that come slowly. Its length is right unless chance wills otherwise. */
function request(line: string, headers: readonly string[], body: Buffer, about: About, random?: Random): HttpInput {
  const lengths = random?.chance(0.1)
    ? [`Content-Length: ${random.pick(NUMBERS)}`]
    : body.length === 0 && !line.startsWith('POST')
      ? []
      : [`Content-Length: ${body.length}`];
  const chunked = random?.chance(0.1) ?? false;
  const head = text(
    `${[line, ...headers, ...(chunked ? ['Transfer-Encoding: chunked'] : lengths)].join('\r\n')}\r\n\r\n`,
  );
  const sent = chunked ? Buffer.concat([text(`${body.length.toString(16)}\r\n`), body, text('\r\n0\r\n\r\n')]) : body;
  const pieces = random?.chance(0.1) ? [sent.subarray(0, sent.length >> 1), sent.subarray(sent.length >> 1)] : [sent];
  const bytes = [head, ...pieces].filter(({ length }) => length > 0);
  return {
    protocol: 'http',
    ...about,
    parts: (pieces.length > 1 ? bytes : [Buffer.concat(bytes)]).map((part) => ({
      bytes: part.toString('base64'),
      waitMs: pieces.length > 1 ? (random?.pick([5, 50, 300]) ?? 0) : 0,
    })),
  };
}

/** Changes one line of the head. */
function withOtherHead(bytes: Buffer, change: (line: string) => string, random: Random): Buffer {
  const end = bytes.indexOf('\r\n\r\n');
  const lines = bytes.toString('latin1', 0, end < 0 ? bytes.length : end).split('\r\n');
  const at = random.below(lines.length);
  lines[at] = change(lines[at] ?? '');
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), end < 0 ? text('') : bytes.subarray(end)]);
}

function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}
