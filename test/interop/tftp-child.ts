/** A TFTP server in a process of its own, whose memory and descriptors can be looked at; run by `fork` with a `ChildRun` as JSON. */
import { fileInside } from '../../src/boot/confine.ts';
import { parseIpv4 } from '../../src/model/ipv4.ts';
import { startTftpServer, type TftpGauges, type TftpLimits } from '../../src/tftp/server.ts';

export type ChildRun = { readonly root: string; readonly addresses: readonly string[]; readonly limits: TftpLimits };

/** What the child answers whatever it is sent with. */
export type ChildReport = {
  readonly stats: TftpGauges;
  /** How many events of each kind there were, trouble by its code. */
  readonly events: Record<string, number>;
  readonly faults: readonly string[];
  /** Seconds of a processor since the start. */
  readonly cpu: number;
};

if (process.argv[1] === import.meta.filename) await serve(JSON.parse(process.argv[2] ?? ''));

async function serve({ root, addresses, limits }: ChildRun): Promise<void> {
  const events: Record<string, number> = {};
  const faults: string[] = [];
  const server = await startTftpServer({
    addresses: () => addresses.map(parseIpv4).filter((address) => address !== undefined),
    limits: () => limits,
    events: (event) => {
      const kind = event.kind === 'server.trouble' ? event.code : event.kind;
      events[kind] = (events[kind] ?? 0) + 1;
    },
    source: async (name) => {
      const path = await fileInside(root, name);
      return path === undefined ? undefined : { role: 'file', kind: 'file', path };
    },
    faulted: (error) => faults.push(String(error)),
  });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ stats: server.gauges(), events, faults, cpu: (user + system) / 1e6 } satisfies ChildReport);
  });
  process.once('disconnect', () => process.exit());
  process.send?.('ready');
}
