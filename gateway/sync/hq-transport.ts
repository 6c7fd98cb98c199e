/**
 * How HQ is reached: directly or through a proxy, with TLS that is always checked, no faster than
 * the line may be loaded.
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { type Socket, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

/** As `hq` in the configuration. */
export interface HqTransportOptions {
  /** An HTTP proxy between the store and HQ; asked with CONNECT, so it sees no reading. */
  readonly proxy?:
    | {
        readonly url: string;
        readonly username?: string | undefined;
        readonly password_file?: string | undefined;
      }
    | undefined;
  /** Authority of HQ's certificate, where it is not a public one. */
  readonly ca_file?: string | undefined;
  /** The gateway's own certificate, where a proxy in front of HQ asks for one. */
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
}

type Connected = (error: Error | null, socket?: Socket) => void;

/** An agent that keeps its connections open between requests. @throws FootbridgeError config_invalid */
export function hqAgent(hq: URL, options: HqTransportOptions): http.Agent {
  const proxy = options.proxy === undefined ? undefined : proxyOf(options.proxy);
  const tls = {
    ...(options.ca_file === undefined ? {} : { ca: readSetting('hq.ca_file', options.ca_file) }),
    ...(options.cert_file === undefined
      ? {}
      : { cert: readSetting('hq.cert_file', options.cert_file) }),
    ...(options.key_file === undefined
      ? {}
      : { key: readSetting('hq.key_file', options.key_file) }),
  };
  const isTls = hq.protocol === 'https:';
  const agent = isTls
    ? new https.Agent({ keepAlive: true, ...tls })
    : new http.Agent({ keepAlive: true });
  if (proxy === undefined) return agent;
  const target = {
    host: hq.hostname.replace(/^\[|\]$/g, ''),
    port: Number(hq.port) || (isTls ? 443 : 80),
  };
  // A documented extension point of node:http; @types/node lacks the callback.
  const extended = agent as unknown as {
    createConnection(options: object, connected: Connected): undefined;
  };
  extended.createConnection = (_options, connected) => {
    tunnel(proxy, target).then(
      (socket) => {
        const named = /[a-z]/i.test(target.host) ? { servername: target.host } : {};
        const line = isTls ? tlsConnect({ socket, host: target.host, ...named, ...tls }) : socket;
        connected(null, line);
      },
      (error: Error) => connected(error),
    );
    return undefined;
  };
  return agent;
}

interface Proxy {
  readonly host: string;
  readonly port: number;
  readonly authorization: string | undefined;
}

function proxyOf({
  url,
  username,
  password_file,
}: NonNullable<HqTransportOptions['proxy']>): Proxy {
  const { hostname, port } = new URL(url);
  const password =
    password_file === undefined ? '' : readSetting('hq.proxy.password_file', password_file);
  const login = Buffer.from(`${username}:${String(password).trimEnd()}`).toString('base64');
  const authorization = username === undefined ? undefined : `Basic ${login}`;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 80, authorization };
}

/** CONNECT (RFC 9110 9.3.6): after a 2xx the connection is HQ's. */
async function tunnel(proxy: Proxy, target: { host: string; port: number }): Promise<Socket> {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const path = `${host}:${target.port}`;
  const socket = tcpConnect({ host: proxy.host, port: proxy.port });
  await once(socket, 'connect');
  const asked = http.request({
    createConnection: () => socket,
    method: 'CONNECT',
    path,
    headers: {
      host: path,
      ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
    },
  });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('connect', (answer, line: Socket, head: Buffer) => {
      if (answer.statusCode !== 200) {
        line.destroy();
        reject(
          new Error(`the proxy ${proxy.host}:${proxy.port} answered HTTP ${answer.statusCode}`),
        );
        return;
      }
      if (head.length > 0) line.unshift(head);
      resolve(line);
    });
  });
}

function readSetting(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new FootbridgeError('config_invalid', `${setting}: ${errorText(cause)}`, { cause });
  }
}
