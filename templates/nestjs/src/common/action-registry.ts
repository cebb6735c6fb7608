import { Inject, Injectable, Optional, SetMetadata, type Type } from '@nestjs/common';
import { HTTP_CODE_METADATA, PATH_METADATA } from '@nestjs/common/constants';

import type { ActionInfo } from './action-call';

/** Bounds a request body where the handler does not say otherwise: actions carry form data, not files. */
const defaultMaxBodyBytes = 1 << 20;

/** Bounds one call of a handler. It leaves room below the 30 s that the engine waits for one by default. */
const actionTimeoutMs = 25_000;

const maxBodyBytesKey = 'maxBodyBytes';

const timeoutKey = 'actionTimeoutMs';
const frequentKey = 'frequent';

/** Gives one action another limit for its request body: `@MaxBodyBytes(10 << 20)` above its `@Post()`. */
export const MaxBodyBytes = (bytes: number) => SetMetadata(maxBodyBytesKey, bytes);

/** Gives one action another time limit, `@ActionTimeout(50_000)`, below the timeout of its entry in actions.yaml. */
export const ActionTimeout = (milliseconds: number) => SetMetadata(timeoutKey, milliseconds);

/** Says that an action is cheap and asked for often: a user may call it as often as RATE_LIMIT_ROLE_POINTS says. */
export const Frequent = () => SetMetadata(frequentKey, true);

/** What {@link ActionRegistry} is made of: the lists in actions.gen.ts. */
export class ActionList {
  constructor(
    readonly actions: readonly ActionInfo[],
    readonly controllers: readonly Type[],
  ) {}
}

export interface RegisteredAction extends ActionInfo {
  maxBodyBytes: number;
  timeoutMs: number;
  frequent: boolean;
}

/** Knows the actions that this service serves. It refuses to start when one has no route. */
@Injectable()
export class ActionRegistry {
  private readonly byPath = new Map<string, RegisteredAction>();

  constructor(@Optional() @Inject(ActionList) list: ActionList = new ActionList([], [])) {
    for (const action of list.actions) {
      const other = this.byPath.get(action.path);
      if (other !== undefined) {
        throw new Error(`actions ${other.name} and ${action.name} have the same path /actions/${action.path}`);
      }
      const handler = findRoute(list.controllers, `actions/${action.path}`);
      if (handler === undefined) {
        throw new Error(
          `action ${action.name}: no controller has the route actions/${action.path}: ` +
            `add a method with @Post('${action.path}') to one with @Controller('actions')`,
        );
      }
      Reflect.defineMetadata(HTTP_CODE_METADATA, 200, handler); // where Nest would answer a POST with 201
      const own = <T>(key: string): T | undefined => Reflect.getMetadata(key, handler) as T | undefined;
      this.byPath.set(action.path, {
        ...action,
        maxBodyBytes: own<number>(maxBodyBytesKey) ?? defaultMaxBodyBytes,
        timeoutMs: own<number>(timeoutKey) ?? actionTimeoutMs,
        frequent: own<boolean>(frequentKey) ?? false,
      });
    }
  }

  /** The longest time that one of the actions may take. */
  get longestMs(): number {
    return Math.max(actionTimeoutMs, ...[...this.byPath.values()].map((action) => action.timeoutMs));
  }

  find(path: string): RegisteredAction | undefined {
    return this.byPath.get(path);
  }
}

/** Finds the method of a controller that answers at a path. */
function findRoute(controllers: readonly Type[], path: string): object | undefined {
  for (const controller of controllers) {
    const prototype = controller.prototype as Record<string, unknown>;
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const method = prototype[name];
      if (name === 'constructor' || typeof method !== 'function') {
        continue;
      }
      for (const base of paths(controller)) {
        if (paths(method).some((own) => join(base, own) === path)) {
          return method;
        }
      }
    }
  }
  return undefined;
}

function paths(target: object): string[] {
  const value = Reflect.getMetadata(PATH_METADATA, target) as string | string[] | undefined;
  return value === undefined ? [] : [value].flat();
}

function join(...parts: string[]): string {
  return parts
    .map((part) => part.replace(/^\/+|\/+$/g, ''))
    .filter((part) => part !== '')
    .join('/');
}
