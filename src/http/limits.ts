/** How much clients may hold at once. */
export type HttpLimits = {
  readonly connections: number;
  readonly connectionsPerClient: number;
  /** Transfers of large files: each holds a file open, and two pieces of it in memory. */
  readonly downloads: number;
  readonly downloadsPerClient: number;
};

/** A rack of machines that start at once each fetch two files; running nodes hold a connection each. */
const USUAL: HttpLimits = {
  connections: 8192,
  connectionsPerClient: 512,
  downloads: 1024,
  downloadsPerClient: 64,
};

/**
 * The usual limits, or lower ones that `descriptors` suffice for: one for each connection, one more for each large transfer. Some are
 * left over for files that are open for a moment and for connections that are being refused.
 */
export function limitsFor(descriptors = Number.POSITIVE_INFINITY): HttpLimits {
  const downloads = Math.min(USUAL.downloads, share(descriptors, 0.15));
  const connections = Math.min(USUAL.connections, share(descriptors, 0.65));
  return {
    connections,
    connectionsPerClient: Math.min(USUAL.connectionsPerClient, Math.ceil(connections / 4)),
    downloads,
    downloadsPerClient: Math.min(USUAL.downloadsPerClient, Math.ceil(downloads / 4)),
  };
}

function share(descriptors: number, part: number): number {
  return Math.max(2, Math.floor(descriptors * part));
}
