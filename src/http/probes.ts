/** Routes that must answer whatever the load and whoever asks: those by which a balancer or a scheduler decides. */
import type { FastifyRequest } from 'fastify';

export function isProbe({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.probe === true;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Exempt from keys and from every limit of load. */
    probe?: boolean;
  }
}
