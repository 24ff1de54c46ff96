import type { SiteClass } from '../model/network.ts';
import type { Findings } from './finding.ts';
import { NAME_PATTERN } from './forms.ts';
import { readLending } from './lending.ts';
import { readOptions } from './options.ts';
import { MEMBER_WORDS } from './pools.ts';
import type { ClassDeclaration, SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** The classes of a site, in its order. */
export function resolveClasses(site: Declared<SiteDeclaration>, findings: Findings): ReadonlyMap<string, SiteClass> {
  const classes = new Map<string, SiteClass>();
  for (const [name, declared] of Object.entries(site.value.classes)) {
    checkName(name, site, findings);
    classes.set(name, resolveClass(name, declared, site, findings));
  }
  return classes;
}

function resolveClass(
  name: string,
  { lease, minLease, maxLease, nextServer, bootFile, options, ...conditions }: ClassDeclaration,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): SiteClass {
  const at: Path = ['classes', name];
  // A condition of a wrong form is reported already; it counts as a condition of the class.
  const says = site.names(at).some((key) => (CONDITIONS as readonly string[]).includes(key));
  if (!says) {
    const hint = `say who its members are by one of ${CONDITIONS.join(', ')}`;
    findings.error(site.keyPlace(at), `class "${name}" has no condition`, hint);
  }
  return {
    name,
    conditions,
    ...readLending({ lease, minLease, maxLease }, at, site, findings),
    ...(nextServer === undefined ? {} : { nextServer }),
    ...(bootFile === undefined ? {} : { bootFile }),
    options: readOptions(options, [...at, 'options'], site, findings),
  };
}

const CONDITIONS: readonly (keyof SiteClass['conditions'])[] = [
  'macs',
  'vendorClass',
  'userClass',
  'arch',
  'circuitId',
  'remoteId',
];

function checkName(name: string, site: Declared<SiteDeclaration>, findings: Findings): void {
  const place = site.keyPlace(['classes', name]);
  if (!NAME_PATTERN.test(name)) {
    findings.error(place, `"${name}" cannot name a class`, 'use letters, digits, ".", "_" and "-"');
  }
  if ((MEMBER_WORDS as readonly string[]).includes(name)) {
    findings.error(place, `"${name}" cannot name a class`, `in pools, ${name} means something already`);
  }
}
