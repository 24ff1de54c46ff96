import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { OpenRack } from '../../src/lab/open.ts';
import { agentFiles } from '../../src/node/agent/files.ts';

// Nodes without machines: an image's root with its systemd, our agent and the real services, in namespaces beside a rack. What
// a kernel and firmware do is left out; a boot takes a second.

export type Container = {
  /** Where the node's own changes lie; its logs are below `var/log`. */
  readonly upper: string;
  /** Runs a shell line on the node and gives what it printed. */
  run(line: string): Promise<string>;
  end(): Promise<void>;
};

/** Mounts the squashfs of an image in the rack, where every container shares it. */
export async function mountRoot(rack: OpenRack, squashfs: string, at: string): Promise<void> {
  await mkdir(at, { recursive: true });
  await must(rack, ['mount', '-t', 'squashfs', '-o', 'loop,ro', squashfs, at]);
}

/** Switches a node on: `root` is a mounted root, `files` are laid over it, with the mode 0755 where they are programs. */
export async function wakeContainer(
  rack: OpenRack,
  node: {
    readonly name: string;
    readonly mac: string;
    readonly address: string;
    readonly kernelLine: string;
    readonly root: string;
    readonly folder: string;
    readonly files: Readonly<Record<string, string | Uint8Array>>;
  },
): Promise<Container> {
  const { name, mac, address, kernelLine, root, files } = node;
  const folder = join(node.folder, name);
  const upper = join(folder, 'upper');
  await rm(folder, { recursive: true, force: true });
  await mkdir(upper, { recursive: true });
  await writeFile(join(folder, 'cmdline'), `${kernelLine}\n`);
  // The agent as it is now: the image may be older.
  for (const file of agentFiles()) if ('content' in file) await lay(join(upper, file.path), file.content, file.mode);
  // The kernel is not the image's, and has what its modules would bring.
  for (const [path, text] of Object.entries({ 'usr/sbin/modprobe': '#!/bin/sh\n', ...files }))
    await lay(join(upper, path), text, `${text}`.startsWith('#!') ? 0o755 : 0o644);

  const process = rack.spawn([CONTAINER, root, folder, mac, address], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(process, 'close');
  ended.catch(() => {});
  if (!process.stdin || !process.stdout) throw new Error('the container was started without pipes');
  const [line] = (await once(createInterface({ input: process.stdout }), 'line')) as [string];
  const pid = line.replace('namespace ', '');
  const port = `port-${mac.replaceAll(':', '').slice(-6)}`;
  await must(rack, ['ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid]);
  await must(rack, ['ip', 'link', 'set', port, 'master', rack.rack.bridges[0]?.name ?? '', 'up']);
  process.stdin.write('go\n');
  const inside = (command: string) => `nsenter --all --target $(cat /proc/${pid}/task/${pid}/children) ${command}`;
  return {
    upper,
    run: async (command) => must(rack, ['sh', '-c', inside('sh -c "$0"'), command]),
    end: async () => {
      await rack.exec(['kill', '-KILL', pid]);
      await ended;
      // They are this machine's, and would outlast the rack; processes take a moment to leave them.
      const groups = join(folder, 'cgroups', `lab-${name}`);
      const gone = `for _ in $(seq 50); do find "$0" -depth -type d -exec rmdir {} + 2>/dev/null; [ -d "$0" ] || break; sleep 0.1; done`;
      await rack.exec(['sh', '-c', gone, groups]);
    },
  };
}

const CONTAINER = join(import.meta.dirname, 'container');

async function lay(path: string, text: string | Uint8Array, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode });
}

async function must(rack: OpenRack, command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await rack.exec(command);
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}
