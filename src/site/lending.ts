import type { Lending } from '../model/network.ts';
import type { Findings } from './finding.ts';
import type { Declared } from './shape.ts';
import type { Site } from './site.ts';
import type { Path } from './yaml.ts';

/** Lease times as networks, pools and classes declare them, in seconds. */
export type LendingDeclaration = {
  readonly lease?: number | undefined;
  readonly minLease?: number | undefined;
  readonly maxLease?: number | undefined;
};

/** The lease times at `at`, checked against each other. */
export function readLending(
  { lease, minLease, maxLease }: LendingDeclaration,
  at: Path,
  document: Declared<unknown>,
  findings: Findings,
): Lending {
  const longest = maxLease ?? lease;
  if (lease !== undefined && maxLease !== undefined && lease > maxLease) {
    findings.error(document.place([...at, 'maxLease']), `maxLease is shorter than the lease of ${lease} seconds`);
  } else if (minLease !== undefined && longest !== undefined && minLease > longest) {
    findings.error(
      document.place([...at, 'minLease']),
      `minLease is longer than the longest lease, ${longest} seconds`,
    );
  }
  return {
    ...(lease === undefined ? {} : { leaseSeconds: lease }),
    ...(minLease === undefined ? {} : { minLeaseSeconds: minLease }),
    ...(maxLease === undefined ? {} : { maxLeaseSeconds: maxLease }),
  };
}

/** The longest lease of any address, in seconds. */
export function longestLease({ networks, classes }: Pick<Site, 'networks' | 'classes'>): number {
  const layers: Lending[] = [...networks.values()].flatMap((network) => [network, ...network.pools]);
  const times = [...layers, ...classes.values()].flatMap(
    ({ leaseSeconds = 0, minLeaseSeconds = 0, maxLeaseSeconds = 0 }) => [
      leaseSeconds,
      minLeaseSeconds,
      maxLeaseSeconds,
    ],
  );
  return Math.max(0, ...times);
}
