import { randomBytes, randomUUID } from 'node:crypto';
import { inTurn } from '../inTurn.ts';
import type { Credentials } from './credentials.ts';
import type { IdentityParts, IdentityStore } from './identityStore.ts';
import { makeSshKey, SSH_KEY_TYPES, type SshKey, type SshKeyType } from './opensshKey.ts';
import { KEPT_PRIVATE } from './secretMask.ts';

/** The identity of a machine, the same at every boot although it has no disk. */
export type Identity = {
  /** 32 hexadecimal digits: machine-id(5). */
  readonly machineId: string;
  readonly libvirtUuid: string;
  /** /var/lib/nova/compute_id, which nova-compute of 2023.1 and later keeps. */
  readonly computeId: string;
  /** Open vSwitch's id, in /etc/openvswitch/system-id.conf. */
  readonly ovsSystemId: string;
  readonly iscsiInitiator: string;
  readonly nvmeHostNqn: string;
  readonly nvmeHostId: string;
  /** The key that logs in as the user nova on the node's peers; present once it was requested. */
  readonly novaKey?: SshKey;
  /** Present if a bundle needs it. */
  readonly tls?: Credentials;
  /** `rsa` is present once it was requested. */
  readonly sshHostKeys: { readonly [T in Exclude<SshKeyType, 'rsa'>]: SshKey } & { readonly rsa?: SshKey };
};

/** Made only for nodes whose files use them: the RSA host key, which takes a moment; the user nova's key. */
export type Wanted = { readonly rsa?: boolean; readonly nova?: boolean };

const MACHINE_ID = 'machine-id';

/**
 * Identities over a store, whose missing parts are made on first use. Known ones stay in memory, so that a node that boots or refreshes
 * does not wait for the disk. RSA keys are made one after the other: many nodes at once must not take all threads that read files.
 */
export class Identities {
  readonly #store: IdentityStore;
  readonly #known = new Map<string, IdentityParts>();
  readonly #inOrder = inTurn();

  constructor(store: IdentityStore) {
    this.#store = store;
  }

  /** Rejects with what the store rejects with. */
  async of(node: string, { rsa = false, nova = false }: Wanted = {}): Promise<Identity> {
    const quick = await this.#completed(node, nova ? [...ALWAYS, NOVA_KEY] : ALWAYS);
    if (!rsa || quick.has(sshKind('rsa'))) return identityFrom(quick);
    return identityFrom(await this.#inOrder(() => this.#completed(node, [sshKind('rsa')])));
  }

  /** The machine-id alone: no key is made for it, and nothing is kept in memory. Rejects with what the store rejects with. */
  async machineIdOf(node: string): Promise<string> {
    const parts = this.#known.get(node) ?? (await this.#store.read(node));
    let id = parts.get(MACHINE_ID);
    while (id === undefined)
      id = (await this.#store.keep(node, new Map([[MACHINE_ID, await make(MACHINE_ID, node)]]))).get(MACHINE_ID);
    return id;
  }

  async #completed(node: string, kinds: readonly string[]): Promise<IdentityParts> {
    let parts = this.#known.get(node) ?? (await this.#store.read(node));
    // A part that another node happens to have is not stored: it is made again.
    for (let missing = lacking(parts, kinds); missing.length > 0; missing = lacking(parts, kinds)) {
      const made = await Promise.all(missing.map(async (kind) => [kind, await make(kind, node)] as const));
      parts = await this.#store.keep(node, new Map(made));
    }
    this.#known.set(node, parts);
    return parts;
  }
}

/** The identity of these parts; throws if one that every identity has is missing. */
export function identityFrom(parts: IdentityParts): Identity {
  const part = (kind: string): string => {
    const value = parts.get(kind);
    if (value === undefined) throw new Error(`this identity has no ${kind}`);
    return value;
  };
  const key = (kind: string): SshKey => {
    const [publicLine = '', ...rest] = part(kind).split('\n');
    return { public: publicLine, private: rest.join('\n') };
  };
  const uuid = part('nvme-host-id');
  return {
    machineId: part(MACHINE_ID),
    libvirtUuid: part('libvirt-uuid'),
    computeId: part('compute-id'),
    ovsSystemId: part('ovs-system-id'),
    iscsiInitiator: part('iscsi-initiator'),
    nvmeHostNqn: `nqn.2014-08.org.nvmexpress:uuid:${uuid}`,
    nvmeHostId: uuid,
    sshHostKeys: {
      ed25519: key(sshKind('ed25519')),
      ecdsa: key(sshKind('ecdsa')),
      ...(parts.has(sshKind('rsa')) ? { rsa: key(sshKind('rsa')) } : {}),
    },
    ...(parts.has(NOVA_KEY) ? { novaKey: key(NOVA_KEY) } : {}),
  };
}

/** Whether any identity can be made of these parts. */
export function isWhole(parts: IdentityParts): boolean {
  return lacking(parts, ALWAYS).length === 0;
}

/** The private parts of an identity. */
export function privateKeysOf({ sshHostKeys, novaKey, tls }: Identity): readonly string[] {
  const keys = [...Object.values(sshHostKeys), ...(novaKey ? [novaKey] : [])].map((key) => key.private);
  return [...keys, ...(tls ? [tls.key] : [])];
}

/** The same identity for display: private parts are hidden. */
export function masked(identity: Identity): Identity {
  const { sshHostKeys, novaKey, tls } = identity;
  const hidden = (key: SshKey): SshKey => ({ ...key, private: `${KEPT_PRIVATE}\n` });
  const keys = Object.entries(sshHostKeys).map(([type, key]) => [type, hidden(key)]);
  return {
    ...identity,
    sshHostKeys: Object.fromEntries(keys),
    ...(novaKey ? { novaKey: hidden(novaKey) } : {}),
    ...(tls ? { tls: { ...tls, key: `${KEPT_PRIVATE}\n` } } : {}),
  };
}

const SAMPLE_UUID = '5a3b1e00-0000-4000-8000-000000000000';
const sampleKey = (type: string): SshKey => ({ public: `${type} AAAAsample sample`, private: `${KEPT_PRIVATE}\n` });

/** A placeholder identity for when there is no state, recognizable wherever it has enough characters. */
export const SAMPLE_IDENTITY: Identity = {
  machineId: SAMPLE_UUID.replaceAll('-', ''),
  libvirtUuid: SAMPLE_UUID,
  computeId: SAMPLE_UUID,
  ovsSystemId: SAMPLE_UUID,
  iscsiInitiator: 'iqn.1993-08.org.debian:01:sample',
  nvmeHostNqn: `nqn.2014-08.org.nvmexpress:uuid:${SAMPLE_UUID}`,
  nvmeHostId: SAMPLE_UUID,
  sshHostKeys: {
    ed25519: sampleKey('ssh-ed25519'),
    ecdsa: sampleKey('ecdsa-sha2-nistp256'),
    rsa: sampleKey('ssh-rsa'),
  },
  novaKey: sampleKey('ssh-ed25519'),
  tls: { ca: '(a sample)\n', certificate: '(a sample)\n', key: `${KEPT_PRIVATE}\n` },
};

const PLAIN: Readonly<Record<string, () => string>> = {
  [MACHINE_ID]: () => randomUUID().replaceAll('-', ''),
  'libvirt-uuid': () => randomUUID(),
  'compute-id': () => randomUUID(),
  'ovs-system-id': () => randomUUID(),
  // In the form of Debian's open-iscsi.
  'iscsi-initiator': () => `iqn.1993-08.org.debian:01:${randomBytes(6).toString('hex')}`,
  'nvme-host-id': () => randomUUID(),
};

const sshKind = (type: SshKeyType): string => `ssh-${type}`;
const NOVA_KEY = 'nova-key';

/** The parts of every identity; each is made instantly. */
const ALWAYS: readonly string[] = [...Object.keys(PLAIN), sshKind('ed25519'), sshKind('ecdsa')];

function lacking(parts: IdentityParts, kinds: readonly string[]): readonly string[] {
  return kinds.filter((kind) => !parts.has(kind));
}

/** A new value; of an SSH key its public line, then its private file. */
async function make(kind: string, node: string): Promise<string> {
  const plain = PLAIN[kind];
  if (plain) return plain();
  if (kind === NOVA_KEY) return inLines(await makeSshKey('ed25519', `nova@${node}`));
  const type = SSH_KEY_TYPES.find((one) => sshKind(one) === kind);
  if (type === undefined) throw new Error(`no part of an identity: ${kind}`);
  return inLines(await makeSshKey(type, `root@${node}`));
}

function inLines(key: SshKey): string {
  return `${key.public}\n${key.private}`;
}
