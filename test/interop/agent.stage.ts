import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createHttpServer, type HttpServer } from '../../src/http/server.ts';
import type { Happening } from '../../src/model/event.ts';
import type { Ipv4 } from '../../src/model/ipv4.ts';
import type { Bundle } from '../../src/node/bundle.ts';
import { openCredentials } from '../../src/node/credentials.ts';
import { Identities } from '../../src/node/identity.ts';
import type { Inventory } from '../../src/node/inventory.ts';
import type { News } from '../../src/node/news.ts';
import { nodeBundle } from '../../src/node/nodeBundle.ts';
import { Orders } from '../../src/node/orders.ts';
import { openPeers } from '../../src/node/peers.ts';
import { NO_SECRETS } from '../../src/node/secretMask.ts';
import { SiteSecrets } from '../../src/node/siteSecrets.ts';
import type { NewsFeed } from '../../src/node/sync.ts';
import { createRenderer } from '../../src/node/templates.ts';
import { NodeTokens } from '../../src/node/tokens.ts';
import type { Site } from '../../src/site/site.ts';
import { ip, nodeFixture, siteFixture } from '../../src/site/testing/fixture.ts';
import { emptyStore } from '../../src/state/testing/fakes.ts';
import { agentStepName } from '../../src/words/step.ts';
import { type Flavour, killAll, type Rig, rig, unwire, wire } from './agent.rig.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this with test/isolated');

export const PORT = 8080;
/** The kernel line of node01. */
export const KERNEL = `quiet BOOTIF=01-52-54-00-00-00-51 reveille.server=http://10.0.0.2:${PORT} reveille.node=node01`;

/** Below it every test's machine and site; gone afterwards. */
export const scratch = mkdtempSync(join(tmpdir(), 'reveille-agent-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

type Steps = Happening & { kind: 'node.step' };

/** A wire, a machine, a site folder and the real server over it, all taken away after the test. */
export async function stage(
  t: { after(end: () => unknown): void },
  flavour: Flavour,
  files: Readonly<Record<string, string>>,
  {
    listen = true,
    address = true,
    refreshSeconds = 600,
    bundle,
    without = [],
    only,
    settingsSeconds,
    prepare,
  }: {
    listen?: boolean;
    address?: boolean;
    refreshSeconds?: number;
    bundle?: () => Bundle;
    without?: readonly string[];
    only?: readonly string[];
    settingsSeconds?: number;
    prepare?: string;
  } = {},
) {
  wire({ address });
  t.after(() => {
    killAll();
    unwire();
  });
  const folder = mkdtempSync(join(scratch, `${flavour}-`));
  const machine = rig(folder, flavour, without, only, prepare);
  const root = join(folder, 'site');
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  const node = nodeFixture({
    overlays: existsSync(join(root, 'overlays/nova')) ? ['nova'] : [],
    folders: existsSync(join(root, 'nodes/node01')) ? ['node01'] : [],
    ...(settingsSeconds === undefined ? {} : { settingsSeconds }),
  });
  const site: Site = {
    ...siteFixture({ root, refreshSeconds }),
    nodes: new Map([[node.name, node]]),
    nodeByMac: new Map([[node.macs[0], node]]),
  };
  const server = realServer(site, bundle);
  if (listen) await server.listen(PORT);
  t.after(() => server.close());
  return { machine, site, server };
}

/** The same site, whose nodes come from the server's own address, as the proxy of a test does. */
function throughProxy(site: Site): Site {
  const nodes = [...site.nodeByMac].map(([mac, node]) => [mac, { ...node, ip: ip('10.0.0.2') }] as const);
  return { ...site, nodeByMac: new Map(nodes) };
}

/** `bundle` stands in for what the site's files would give. */
function realServer(site: Site, bundle?: () => Bundle) {
  const events: Steps[] = [];
  const news: News[] = [];
  const orders = new Orders();
  const identities = new Identities(emptyStore().identities);
  const means = {
    secrets: new SiteSecrets(() => site, {}),
    identities,
    credentialsOf: openCredentials(emptyStore().certificates, { scratch: tmpdir(), now: Date.now }),
    peersOf: openPeers(identities),
    renderer: createRenderer(),
  };
  const listeners = new Set<Parameters<NewsFeed>[0]>();
  const stored = new Map<string, Inventory>();
  // A machine whose DHCP requests no server of a test sees.
  const tokens = NodeTokens.open({
    store: emptyStore().tokens,
    now: Date.now,
    trouble: (error) => assert.fail(String(error)),
  });
  const boot = async () => (await tokens).bootSeen('node01');
  let server: HttpServer | undefined;
  return {
    async listen(port: number) {
      await boot();
      server = createHttpServer({
        site: () => (port === PORT ? site : throughProxy(site)),
        tokens: await tokens,
        bootFiles: async () => undefined,
        addressOf: () => undefined,
        bundleOf: async ({ name }, inventory, serverIp) =>
          bundle?.() ??
          nodeBundle(
            site,
            site.nodes.get(name) ?? nodeFixture(),
            { inventory, server: { ip: serverIp, httpPort: port } },
            means,
          ),
        maskOf: async () => NO_SECRETS,
        inventories: {
          load: async (name) => stored.get(name),
          save: async (name, inventory) => void stored.set(name, inventory),
        },
        opened: async () => {},
        orders,
        onNews: (node, told) => {
          news.push(told);
          for (const listener of listeners) listener(node.name, told);
        },
        emit: (event) => {
          if (event.kind === 'node.step') events.push(event);
        },
      });
      await server.listen({ port, ip: ip('10.0.0.2') as Ipv4 });
    },
    async close() {
      await server?.close();
      server = undefined;
    },
    /** The machine's firmware asks for an address: it boots. */
    boot,
    events: () => events,
    news: () => news,
    orders,
    feed: ((listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    }) satisfies NewsFeed,
    steps: () => events.map((event) => `${agentStepName(event)} ${event.status}`),
    event: (step: string, status: string) =>
      events.find((event) => agentStepName(event) === step && event.status === status),
    inventory: () => stored.get('node01'),
  };
}

/** Half-made files that were left anywhere in the machine's own folders. */
export function leftBeside(root: string): string[] {
  return ['etc', 'root', 'var', 'run'].flatMap((name) =>
    readdirSync(join(root, name), { recursive: true, encoding: 'utf8' }).filter((path) =>
      /reveille-(new|pin)$/.test(path),
    ),
  );
}

export function service(machine: Rig, name: string, body: string): void {
  writeFileSync(join(machine.root, 'etc/init.d', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** Stands in for systemd where a whole boot is not what is tried: writes down what it is told; `bad` does not start. */
export function fakeSystemd(machine: Rig): void {
  mkdirSync(join(machine.root, 'run/systemd/system'), { recursive: true });
  const script = `#!/bin/sh
echo "$*" >> /root/systemctl
case $* in
  "start bad"*) exit 1 ;;
  *is-failed*) exit 1 ;;
  status*) echo "status of bad" ;;
esac
`;
  rmSync(join(machine.root, 'bin/systemctl'), { force: true });
  writeFileSync(join(machine.root, 'bin/systemctl'), script, { mode: 0o755 });
}

/**
 * Like fakeSystemd, with a service `slow-thing` that counts as started once /run/slow-is-up exists. It writes to the journal and to
 * a log as services of OpenStack do. The agent is patient with it for a second.
 */
export function slowService(machine: Rig): void {
  fakeSystemd(machine);
  const systemctl = `#!/bin/sh
case $* in
  "start slow-thing.service") until [ -e /run/slow-is-up ]; do sleep 0.1; done ;;
  "is-active slow-thing.service") echo active ;;
  *is-failed*) exit 1 ;;
esac
`;
  writeFileSync(join(machine.root, 'bin/systemctl'), systemctl, { mode: 0o755 });
  const journal =
    '#!/bin/sh\necho "Starting slow-thing with rabbit://nova:s3/cr@t@10.0.0.2:5672,nova:s3cr@t@10.0.0.3:5672/"\n';
  writeFileSync(join(machine.root, 'bin/journalctl'), journal, { mode: 0o755 });
  mkdirSync(join(machine.root, 'var/log/slow'), { recursive: true });
  writeFileSync(join(machine.root, 'var/log/slow/slow-thing.log'), SLOW_LOG);
  writeFileSync(
    join(machine.root, 'var/log/slow/other.log'),
    '2026-01-01 10:00:00.000 1 ERROR other [-] not of this service\n',
  );
  const program = join(machine.root, '../image/usr/lib/reveille/services.sh');
  writeFileSync(program, readFileSync(program, 'utf8').replace('PATIENCE_SECONDS=45', 'PATIENCE_SECONDS=1'));
}

const SLOW_LOG = `2026-01-01 10:00:00.000 1 INFO nova.service [-] Starting with a word that nobody wants
2026-01-01 10:00:01.000 1 CRITICAL nova [-] Unhandled error: amqp.exceptions.AccessRefused
2026-01-01 10:00:01.000 1 ERROR nova Traceback (most recent call last):
2026-01-01 10:00:01.000 1 ERROR nova   File "/usr/lib/python3/dist-packages/amqp/connection.py", line 667, in _on_close
2026-01-01 10:00:01.000 1 ERROR nova     raise error_for_code(reply_code, reply_text,
2026-01-01 10:00:01.000 1 ERROR nova amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN. For details see the broker logfile.
`;

export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (holds()) return;
    await delay(50);
  }
  throw new Error('waited 30 s in vain');
}

/** Changes a program of the agent on this machine: `[from, to]` each. */
export function change(machine: Rig, program: string, ...changes: readonly (readonly [string, string])[]): void {
  const path = join(machine.root, '../image/usr', program);
  let text = readFileSync(path, 'utf8');
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), `${program} has ${from}`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(path, text);
}
