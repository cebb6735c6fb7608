import { lookup as resolve, type LookupAddress } from 'node:dns';
import { lookup as lookupAll } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';

import { Injectable } from '@nestjs/common';

import { Config } from '../common/config';

/** Bounds the look at a name when settings are saved. */
const lookupTimeoutMs = 3000;

const maxEndpoint = 2000;

/** Addresses that are not on the public internet. */
const privateV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;

/** The part of IPv6 that is routed, but for what lies inside it and is not. */
const publicV6 = [['2000::', 3]] as const;
const privateV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
] as const;

/** IPv6 addresses that carry one of IPv4, and the first byte of it: mapped, NAT64, 6to4. */
const carriers = [
  [list('ipv6', [['::ffff:0:0', 96]]), 12],
  [list('ipv6', [['64:ff9b::', 96]]), 12],
  [list('ipv6', [['2002::', 16]]), 2],
] as const;

const blockedV4 = list('ipv4', privateV4);
const routedV6 = list('ipv6', publicV6);
const blockedV6 = list('ipv6', privateV6);

/** The target is one that users must not make the service talk to. */
export class ForbiddenTargetError extends Error {
  constructor() {
    super('the endpoint is at a private address');
  }
}

/**
 * Limits which servers a user's settings can make the service talk to: those with https on the public internet, and the
 * ones that CRM_ALLOWED_HOSTS lists, such as "crm.internal, localhost:8443". Otherwise settings would open a way into the
 * service's own network.
 */
@Injectable()
export class Targets {
  private readonly allowed: ReadonlySet<string>;

  constructor(config: Config) {
    this.allowed = config.section(
      (variables) =>
        new Set(
          variables
            .text('CRM_ALLOWED_HOSTS', '')
            .split(',')
            .map((host) => host.trim().toLowerCase())
            .filter((host) => host !== ''),
        ),
    );
  }

  /**
   * Says what is wrong with an endpoint, or null. A name that cannot be resolved now passes: every connection is checked
   * again.
   */
  async fault(endpoint: string): Promise<'INVALID_URL' | 'FORBIDDEN_TARGET' | null> {
    const url = parse(endpoint);
    const lifted = url !== null && this.isLifted(url);
    if (url === null || (url.protocol === 'http:' && !lifted)) {
      return 'INVALID_URL';
    }
    if (lifted) {
      return null;
    }
    const late = new Promise<LookupAddress[]>((resolve) => {
      setTimeout(() => resolve([]), lookupTimeoutMs).unref();
    });
    const addresses = await Promise.race([lookupAll(bare(url), { all: true }).catch(() => []), late]);
    return addresses.every(({ address }) => isPublic(address)) ? null : 'FORBIDDEN_TARGET';
  }

  /**
   * Resolves the name of a target and gives away only addresses that may be dialled: the check is of the very address that
   * the connection goes to, so that a name cannot change its mind in between. It fails for an address in the place of a
   * name, which no one resolves.
   */
  lookup(url: URL): LookupFunction | undefined {
    if (this.isLifted(url)) {
      return undefined;
    }
    if (url.protocol !== 'https:' || (isIP(bare(url)) > 0 && !isPublic(bare(url)))) {
      throw new ForbiddenTargetError();
    }
    return (hostname, options, callback) => {
      resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
        const open = error === null ? addresses.filter(({ address }) => isPublic(address)) : [];
        const [first] = open;
        if (error !== null || first === undefined) {
          callback(error ?? new ForbiddenTargetError(), '', 0);
        } else if (options.all === true) {
          callback(null, open);
        } else {
          callback(null, first.address, first.family);
        }
      });
    };
  }

  /** Whether the operator has allowed the host. */
  private isLifted(url: URL): boolean {
    const port = url.port || (url.protocol === 'http:' ? '80' : '443');
    const host = url.hostname.toLowerCase();
    return this.allowed.has(host) || this.allowed.has(`${host}:${port}`);
  }
}

/** Whether an IP address is on the public internet. */
export function isPublic(address: string): boolean {
  if (isIP(address) === 4) {
    return !blockedV4.check(address, 'ipv4');
  }
  if (isIP(address) !== 6) {
    return false;
  }
  const carrier = carriers.find(([addresses]) => addresses.check(address, 'ipv6'));
  if (carrier !== undefined) {
    const [, at] = carrier;
    return isPublic([...bytes(address).subarray(at, at + 4)].join('.'));
  }
  return routedV6.check(address, 'ipv6') && !blockedV6.check(address, 'ipv6');
}

/** The 16 bytes of an IPv6 address. */
function bytes(address: string): Buffer {
  // The URL parser writes every address in one way: hexadecimal, at most one "::".
  const plain = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const front = groups(head);
  const back = groups(tail ?? '');
  const middle = Array.from({ length: tail === undefined ? 0 : 8 - front.length - back.length }, () => '0');
  return Buffer.from([...front, ...middle, ...back].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** Reads an endpoint: a URL of a host, without a user, a query or a fragment. */
function parse(endpoint: string): URL | null {
  if (Buffer.byteLength(endpoint) > maxEndpoint || !/^https?:\/\/[^/?#@\\]+(?:\/[^?#]*)?$/i.test(endpoint)) {
    return null;
  }
  return URL.canParse(endpoint) ? new URL(endpoint) : null;
}

function bare(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

function list(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const blocks = new BlockList();
  for (const [network, prefix] of subnets) {
    blocks.addSubnet(network, prefix, family);
  }
  return blocks;
}
