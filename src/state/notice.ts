/**
 * What the thread of the state has to report besides its answers, as an event `server.trouble`. `leasesLost`: the file's leases are not
 * what was last committed.
 */
export type Notice = { readonly code: string; readonly message: string; readonly leasesLost?: true };
