import type { Gauges } from '../model/gauges.ts';
import type { Running } from '../service.ts';
import type { HttpServer } from './server.ts';

/** The ports on which machines reach this server: the site's, and those that it had before, which running nodes know. */
export class HttpPorts {
  readonly #wanted: () => number;
  /** The newest last. */
  readonly #had = new Set<number>();

  /** `wanted`: the port that the site names now. */
  constructor(wanted: () => number) {
    this.#wanted = wanted;
  }

  /** The port that nodes are given: the site's, once the server listens there. */
  get current(): number {
    return [...this.#had].at(-1) ?? this.#wanted();
  }

  /** Listens on every port that nodes may know. Rejects where the newest cannot be listened on. */
  async openAll(server: HttpServer, skipped: (error: unknown) => void): Promise<void> {
    if (this.#had.size === 0) return this.follow(server);
    for (const port of [...this.#had].reverse()) {
      try {
        await server.listen({ port });
      } catch (error) {
        if (port === this.current) throw error;
        skipped(error);
      }
    }
  }

  /** Listens on the site's port too, where that is another one now. Throws PORT_IN_USE, PRIVILEGE_MISSING; then the one before stays. */
  async follow(server: HttpServer): Promise<void> {
    const wanted = this.#wanted();
    if (!this.#had.delete(wanted)) await server.listen({ port: wanted });
    this.#had.add(wanted);
  }
}

/** The server for machines as a service: its port follows the site. */
export class MachinesServer implements Running {
  readonly #server: HttpServer;
  readonly #ports: HttpPorts;

  /** Starts `server` on the ports; `skipped` takes in why one that nodes may still know cannot be had. */
  static async start(server: HttpServer, ports: HttpPorts, skipped: (error: unknown) => void): Promise<MachinesServer> {
    try {
      await ports.openAll(server, skipped);
    } catch (error) {
      await server.close();
      throw error;
    }
    return new MachinesServer(server, ports);
  }

  private constructor(server: HttpServer, ports: HttpPorts) {
    this.#server = server;
    this.#ports = ports;
  }

  async reload(): Promise<void> {
    this.#server.reload();
    await this.#ports.follow(this.#server);
  }

  gauges(): Gauges {
    return this.#server.gauges();
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}
