import { count, formatMs, formatOff } from '../words/units.ts';
import { type BootStep, failedSteps, IN_SERVICE } from './boots.ts';
import type { HeldLease } from './heldLease.ts';
import { serviceTrouble } from './serviceTrouble.ts';
import type { NodeStatus } from './status.ts';

/** What is wrong with a node, or that nothing is, and what to look at next: sentences for the operator. */
export type Diagnosis = { readonly summary: string; readonly advice: readonly string[] };

/** A step that takes longer than this deserves a word; milliseconds. */
const PATIENCE_MS = 90_000;

/**
 * Says in words how a node stands, from its newest boot. `imageBuilt` tells whether the shelf has the node's image;
 * `now` is milliseconds since the epoch. Pure.
 */
export function diagnose(node: NodeStatus, imageBuilt: boolean, now: number): Diagnosis {
  const { summary, advice } = diagnoseBoot(node, imageBuilt, now);
  return {
    summary,
    advice: [...advice, ...aboutClock(node), ...(node.boot?.state === 'ready' ? aboutFiles(node) : [])],
  };
}

/** Tokens, certificates and what Nova calls up all hang on the time. */
function aboutClock({ boot }: NodeStatus): readonly string[] {
  return boot?.clockAheadMs === undefined
    ? []
    : [`Its clock is ${formatOff(boot.clockAheadMs)} the server's: does it ask a time server (NTP)?`];
}

/** What is to be said of the files of a running node. */
function aboutFiles({ name, files }: NodeStatus): readonly string[] {
  if (!files) return [];
  const failed = files.failed === null ? [] : [`Its last refresh failed, and is tried again: ${files.failed}.`];
  const behind =
    files.current === null || files.current === files.applied
      ? []
      : [
          `The site gives it other files by now: see \`reveille diff ${name}\`, apply them at once with \`reveille sync ${name}\`.`,
        ];
  const first = files.drift.slice(0, 3).map(({ path }) => path);
  const drift =
    files.drifted === 0
      ? []
      : [
          `Somebody changed ${count(files.drifted, 'file')} there: ${first.join(', ')}${files.drifted > first.length ? ', ...' : ''}.`,
          `They stay so until the site changes them, or \`reveille sync ${name} --restore\` lays them again.`,
        ];
  return [...failed, ...behind, ...drift];
}

function diagnoseBoot(node: NodeStatus, imageBuilt: boolean, now: number): Diagnosis {
  const { boot } = node;
  if (node.image === null && node.entry === null && node.bootFile === undefined) {
    return {
      summary: `${node.name} has no image: it is given an address and never told to boot.`,
      advice: [node.lease ? `It has ${addressWords(node.lease, now)}.` : 'It has no address now.'],
    };
  }
  if (node.image !== null && node.bootFile === undefined && !imageBuilt) {
    return {
      summary: `The image ${node.image} has not been built.`,
      advice: [`Run \`reveille image build ${node.image}\`.`],
    };
  }
  if (!boot && node.lease) return addressed(node, node.lease, now);
  if (!boot) {
    return {
      summary: `No boot request from ${node.mac} has arrived.`,
      advice: [
        'Is the machine on, and does its firmware boot from the network card first?',
        `Is ${node.mac} the address of the card that is wired to the boot network? \`reveille watch\` shows strangers that ask.`,
        'A switch port with spanning tree and without portfast keeps the link down for about 50 s, longer than some firmware asks.',
      ],
    };
  }
  const service = boot.steps.findLast((step) => step.name === IN_SERVICE);
  if (boot.state === 'ready' && service?.status === 'running') {
    const troubles = boot.steps.flatMap(serviceAdvice);
    const hint = service.hint === undefined ? [] : [sentence(service.hint)];
    return {
      summary: `${node.name} is ready and not in service: ${service.detail}.`,
      // What the node's own logs say is nearer to the cause than what the cloud misses, if it is about the same.
      advice: [...troubles, ...hint],
    };
  }
  if (boot.state === 'ready') {
    return {
      summary: `${node.name} is ready${service ? ` and ${service.detail}` : ''}; its boot took ${formatMs(boot.updatedAt - boot.startedAt)}.`,
      advice: [],
    };
  }
  if (boot.state === 'booting' && node.state === 'loaded') {
    const what = node.bootFile === undefined ? `all of the menu entry ${node.entry}` : `to ${node.bootFile}`;
    return {
      summary: `${node.name} was sent ${what}, ${formatMs(now - boot.updatedAt)} ago.`,
      advice: ['What it runs does not report here. Look at its console, or whether it answers on the network.'],
    };
  }
  const [failed, ...others] = failedSteps(boot.steps);
  if (boot.state === 'failed' && failed) return failedStep(node, failed, others);
  const starting = boot.steps.at(-1);
  if (starting?.status === 'running' && isToldOf(starting, now - boot.updatedAt)) return slowStep(node, starting);
  return waiting(node, boot.steps, now - boot.updatedAt);
}

/** A machine that has an address and no boot. */
function addressed({ name, mac, ip }: NodeStatus, lease: HeldLease, now: number): Diagnosis {
  const advice = [
    'A system that is on it already asked for the address. Does its firmware boot from the network card first?',
    `Is ${mac} the card that the firmware boots from? A machine with several cards may boot by another: \`mac:\` takes a list.`,
  ];
  const own =
    ip === null || ip === lease.ip ? [] : [`The site keeps ${ip} for it: it changes to that when it asks next.`];
  return {
    summary: `${name} has its address and has not asked to boot: ${addressWords(lease, now)}.`,
    advice: [...own, ...advice],
  };
}

/** `10.0.0.200 of network rack (pool 10.0.0.200-10.0.0.220) for 50 min 0 s`. */
export function addressWords({ ip, network, pool, expires }: HeldLease, now: number): string {
  return `${ip} of network ${network}${pool === null ? '' : ` (pool ${pool})`} for ${formatMs(expires - now)} yet`;
}

function failedStep(node: NodeStatus, step: BootStep, others: readonly BootStep[]): Diagnosis {
  return {
    summary: failure(step, ` on ${node.name}`),
    advice: [
      ...serviceAdvice(step),
      ...printed(step),
      ...others.flatMap((one) => [failure(one), ...serviceAdvice(one)]),
    ],
  };
}

function failure({ name, detail }: BootStep, where = ''): string {
  return `The step ${name} failed${where}${detail ? `: ${detail}` : ''}.`;
}

/** Whether a step that goes on told what it does: what its log says, or not long ago. */
function isToldOf({ output, detail }: BootStep, quietMs: number): boolean {
  return output !== undefined || (detail !== undefined && quietMs < PATIENCE_MS);
}

/** A step that goes on, and told what it does. */
function slowStep(node: NodeStatus, step: BootStep): Diagnosis {
  return {
    summary: `${node.name} is booting; the step ${step.name} goes on${step.detail ? `: ${step.detail}` : ''}.`,
    advice: [...serviceAdvice(step), ...printed(step)],
  };
}

/** What the log of a service tells of its trouble, with a hint; empty where nothing is known of it. */
function serviceAdvice({ name, output }: BootStep): readonly string[] {
  const service = /^service (.+)$/.exec(name)?.[1];
  const trouble = service !== undefined && output !== undefined ? serviceTrouble(output) : undefined;
  return trouble ? [`${service} ${trouble.words}.`, sentence(trouble.hint)] : [];
}

function printed({ output }: BootStep): readonly string[] {
  if (output === undefined) return [];
  const lines = output.trimEnd().split('\n');
  return ['It printed last:', ...lines.map((line) => `  ${line}`)];
}

function waiting(node: NodeStatus, steps: readonly BootStep[], quietMs: number): Diagnosis {
  const reached = REACHED.find(({ steps: names }) => steps.some((step) => names.includes(step.name)));
  const last = steps.at(-1);
  const where = last ? `the last thing seen was "${last.name}", ${formatMs(quietMs)} ago` : 'nothing was seen';
  if (steps.some((step) => step.name === 'another DHCP server answered')) {
    return {
      summary: `${node.name} took another DHCP server's offer; ${where}.`,
      advice: ['Find and stop the second DHCP server on this wire, or keep the boot network apart from it.'],
    };
  }
  const summary = `${node.name} is booting; ${where}.`;
  return { summary, advice: quietMs < PATIENCE_MS ? [] : (reached?.advice ?? []) };
}

/** The furthest stage first: what usually stops a boot right after it. */
const REACHED: readonly { readonly steps: readonly string[]; readonly advice: readonly string[] }[] = [
  {
    steps: ['agent'],
    advice: ['The agent runs on the node. Look at its console, or at `journalctl -u reveille-agent` there.'],
  },
  {
    steps: ['root'],
    advice: [
      'The first initrd is bringing the squashfs root, and starts over by itself where it cannot. Look at its console.',
      'With kernelArgs: [reveille.debug] it gives a shell there when it fails.',
    ],
  },
  {
    steps: ['initrd'],
    advice: [
      'The node has its kernel and initrd, and its agent has not reported. Look at its console (kernelArgs: [console=ttyS0]).',
      'Too little RAM for the unpacked image ends in a panic; so does a kernel that cannot unpack the initrd.',
      'With a squashfs root, the first initrd waits up to five minutes for link and address before it starts over.',
      'An image without the driver of the network card comes up and cannot reach the server.',
    ],
  },
  {
    steps: ['script', 'kernel'],
    advice: [
      'The loader has its script and did not fetch the whole image. Does a firewall let HTTP (and TFTP) through?',
    ],
  },
  {
    steps: ['loader'],
    advice: [
      'The loader was fetched and asked for nothing more. Some network cards hang in one loader: try `loader: pxelinux` or `loader: ipxe`.',
    ],
  },
  {
    steps: ['address'],
    advice: [
      'The firmware has an address and fetched nothing. Does a firewall drop TFTP (UDP port 69 and the ports that answer)?',
      'A second DHCP server may have sent it elsewhere.',
    ],
  },
  {
    steps: ['firmware asks', 'iPXE asks'],
    advice: [
      'The firmware asked for an address and did not take the offer. A second DHCP server may have answered first.',
      'Do answers reach the machine: the same VLAN, no DHCP snooping on the switch port?',
    ],
  },
];

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.?!]$/.test(words) ? '' : '.'}`;
}
