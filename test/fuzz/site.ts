import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openShelf } from '../../src/image/shelf.ts';
import { IN_SITE, OF_IMPERSONATED, OF_OTHERS, OUTSIDE } from './secrets.ts';

/** Machines with real clients: no fuzzer uses their addresses. */
export const CLIENT_NODES = {
  firmware: { name: 'node01', mac: '52:54:00:00:00:51', ip: '10.0.0.51' },
  files: { name: 'node02', mac: '52:54:00:00:00:52', ip: '10.0.0.52' },
  pool: { name: 'node03', mac: '52:54:00:00:00:53' },
} as const;

/**
 * Nodes in whose name the fuzzers ask; all but the last few have their addresses in this namespace. They are many because the server
 * limits each.
 */
export const IMPERSONATED = Array.from({ length: 100 }, (_, i) => ({
  name: `asked${i + 1}`,
  mac: `52:54:00:00:01:${(i + 1).toString(16).padStart(2, '0')}`,
  ip: `10.0.1.${i + 1}`,
}));
export const HTTP_IMPERSONATED = IMPERSONATED.slice(0, 96);

export const HELLO = 'hello from the server\n'.repeat(40);
export const BIG = Buffer.alloc(100_000, 'all work and no play makes a long file. ');
const INITRD = Buffer.alloc(200_000, 'initrd ');

const SITE = `# ${IN_SITE.text}
site: fuzz
networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/12
    server: 10.0.0.2
    gateway: 10.0.0.1
    dns: [10.0.0.3]
    ntp: [10.0.0.4]
    lease: 1h
    options: { domain-search: [rack.example, example.org] }
    pools:
      - { range: 10.1.0.0-10.1.15.255, allow: unknown, deny: [pxe] }
      - { range: 10.0.2.0-10.0.2.250, allow: known }
      - { range: 10.2.0.0-10.2.3.255, allow: [pxe, rack7], lease: 10m }
  lan:
    interface: br0
    subnet: 192.168.7.0/24
    server: 192.168.7.2
    pools: [{ range: 192.168.7.100-192.168.7.200, allow: any }]
  guests:
    interface: br1
    subnet: 10.20.0.0/24
    server: 10.20.0.2
    pools: [{ range: 10.20.0.110-10.20.0.200, allow: any }]
  far:
    subnet: 10.200.1.0/24
    server: 10.0.0.2
    pools: [{ range: 10.200.1.10-10.200.1.200, allow: any }]
  farther:
    subnet: 10.200.2.0/24
    server: 10.0.0.2
    pools: [{ range: 10.200.2.10-10.200.2.20, allow: rack7 }]
classes:
  pxe: { vendorClass: 'PXEClient*', arch: [bios, efi-x64], minLease: 1m, maxLease: 20m }
  rack7: { circuitId: eth0/1/*, remoteId: { hex: '00:04:*' } }
  phones: { macs: [00:04:13:*], bootFile: phone.cfg, nextServer: 10.0.0.9 }
  loader: { userClass: iPXE }
tftp: { root: tftp }
secrets:
  impersonated: { file: secrets/impersonated }
  others: { file: secrets/others }
profiles:
  worker:
    image: small
    overlays: [app, identity]
    vars: { app: { secret: '{{ secrets.others }}' } }
  impersonated:
    image: small
    overlays: [app, identity]
    vars: { app: { secret: '{{ secrets.impersonated }}' } }
nodes:
${Object.values(CLIENT_NODES)
  .map((node) => `  ${node.name}: { mac: ${node.mac}, ${'ip' in node ? `ip: ${node.ip}, ` : ''}profiles: [worker] }\n`)
  .join(
    '',
  )}${IMPERSONATED.map(({ name, mac, ip }) => `  ${name}: { mac: ${mac}, ip: ${ip}, profiles: [impersonated] }\n`).join('')}`;

const FILES: Readonly<Record<string, string | Buffer>> = {
  'site/site.yaml': SITE,
  'site/images/small.yaml': 'from: { debian: bookworm }\n',
  'site/secrets/impersonated': `${OF_IMPERSONATED.text}\n`,
  'site/secrets/others': `${OF_OTHERS.text}\n`,
  'site/overlays/app/etc/app.conf.j2':
    "secret={{ vars.app.secret }}\nserial={{ facts.system.serial if facts else '' }}\n",
  'site/overlays/app/overlay.yaml':
    '/etc/app.conf: { mode: "0600" }\nhooks: [{ files: [/etc/app.conf], run: "true" }]\n',
  'site/nodes/10-0-0-52/hosts': '127.0.0.1 localhost\n',
  'site/nodes/10-0-0-52/settings.sh': 'ROLE=files\n',
  'site/tftp/hello.txt': HELLO,
  'site/tftp/big.bin': BIG,
  'site/tftp/sub/inner.txt': 'inner\n',
  'site/tftp/empty': '',
  'outside/canary.txt': `${OUTSIDE.text}\n`,
};

export type FuzzSite = {
  readonly site: string;
  readonly state: string;
  readonly image: string;
  readonly initrd: Buffer;
};

/** Writes a site that has something of everything, and a state with one small image. */
export async function writeFuzzSite(folder: string): Promise<FuzzSite> {
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  symlinkSync('../../outside', join(folder, 'site/tftp/link-out'));
  symlinkSync('hello.txt', join(folder, 'site/tftp/link-in'));
  const state = join(folder, 'state');
  mkdirSync(state, { mode: 0o750 });
  const shelf = openShelf(join(state, 'images'));
  const draft = await shelf.draft('small');
  const file = (name: string, content: Buffer) => {
    writeFileSync(join(draft, name), content);
    return { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  };
  const { sha256 } = await shelf.put(draft, {
    name: 'small',
    kernel: file('vmlinuz', Buffer.alloc(50_000, 'kernel ')),
    initrd: file('initrd', INITRD),
    builtAt: new Date().toISOString(),
    kernelVersion: '6.1',
    packages: [],
  });
  return { site: join(folder, 'site'), state, image: sha256, initrd: INITRD };
}
