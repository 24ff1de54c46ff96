import { resolve } from 'node:path';
import type { Bmc } from '../model/node.ts';
import type { Findings } from './finding.ts';
import type { BmcDeclaration } from './schema.ts';
import { checkSecretNames } from './secrets.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** A profile's or node's settings of the BMC. Absent address: none is set, or each node of a range has its own. */
export type BmcSettings = Omit<BmcDeclaration, 'address'> & { readonly address?: string };

const OF_KIND = { ipmi: ['interface', 'privilege', 'cipher'], redfish: ['system', 'verify', 'ca'] } as const;
const PORT = { ipmi: 623, redfish: 443 } as const;

/** Reads `bmc:` at `at` of `document`. */
export function readBmc(
  { address, ...settings }: BmcDeclaration,
  document: Declared<unknown>,
  at: Path,
  secrets: readonly string[],
  findings: Findings,
): BmcSettings {
  if (settings.password !== undefined) {
    checkSecretNames({ password: settings.password }, document, at, secrets, findings);
  }
  const other = settings.kind === 'ipmi' ? 'redfish' : 'ipmi';
  for (const key of settings.kind === undefined ? [] : OF_KIND[other]) {
    if (settings[key] === undefined) continue;
    findings.error(document.keyPlace([...at, key]), `bmc.${key} is for kind: ${other}`, 'leave it out');
  }
  const [only, another] = address ?? [];
  return only === undefined || another !== undefined ? settings : { ...settings, address: only };
}

/** All nodes of a profile would share its BMC's address, and only a single address can be shared. */
export function refuseRange(bmc: BmcDeclaration | undefined, place: Declared<unknown>, at: Path, findings: Findings) {
  if ((bmc?.address?.length ?? 1) === 1) return;
  const hint = 'write the range at the nodes, where there is one for each';
  findings.error(place.place([...at, 'bmc', 'address']), 'a profile names one BMC, and this is a range', hint);
}

/** The BMC of merged settings, or the key that they lack. Paths are relative to `root`. */
export function completeBmc(settings: BmcSettings, root: string): Bmc | { readonly lacks: keyof BmcSettings } {
  const { address, kind = 'ipmi', user, password, bootMode } = settings;
  if (address === undefined) return { lacks: 'address' };
  if (user === undefined) return { lacks: 'user' };
  if (password === undefined) return { lacks: 'password' };
  const access = {
    address,
    port: settings.port ?? PORT[kind],
    user,
    password,
    ...(bootMode === undefined ? {} : { bootMode }),
  };
  if (kind === 'ipmi') {
    const { interface: protocol = 'lanplus', privilege = 'operator', cipher } = settings;
    return { ...access, kind, interface: protocol, privilege, ...(cipher === undefined ? {} : { cipher }) };
  }
  const { system, verify = true, ca } = settings;
  return {
    ...access,
    kind,
    ...(system === undefined ? {} : { system }),
    verify,
    ...(ca === undefined ? {} : { ca: resolve(root, ca) }),
  };
}
