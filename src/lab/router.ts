import { advertiseNoRouters } from '../net/routerAdvertisement.ts';

/**
 * As a program, `router.ts BRIDGE...`: stands in for the IPv6 router that a real network has. Without one to say that
 * there is no IPv6, iPXE waits 16 s for it after it has its IPv4 address.
 */
if (import.meta.main) advertiseNoRouters(process.argv.slice(2), console.error);
