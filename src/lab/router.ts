import { advertiseNoRouters } from '../net/routerAdvertisement.ts';

/**
 * As a program, `router.ts BRIDGE...`: replaces the IPv6 router of a real network. Without an advertisement that there is no
 * IPv6, iPXE waits 16 s for one after it has its IPv4 address.
 */
if (import.meta.main) advertiseNoRouters(process.argv.slice(2), console.error);
