import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { plainToInstance, Transform, Type } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';

import { ActionError, Code } from './action-error';
import { isObject, wrongKind } from './body';
import { isFinite, isFlag, isRecord, isText, isWhole } from './validators';

/** The classes in types.gen.ts that hold an action's arguments. */
const argumentClasses = new WeakSet<object>();

/** Marks a class as the arguments of an action, so that `@Body() args: ThatClass` is checked and filled. */
export function Arguments(): ClassDecorator {
  return (target) => void argumentClasses.add(target);
}

/** Marks a list of input objects. An object that is missing from it gets its zero value, as a missing field does. */
export function Items<T extends object>(type: () => new () => T): PropertyDecorator {
  const zero = Transform(({ value }: { value: unknown }) =>
    Array.isArray(value) ? value.map((item: unknown) => item ?? new (type())()) : value,
  );
  return (target, key) => {
    Type(type)(target, key);
    zero(target, key);
  };
}

/**
 * Turns the call's input into the action's arguments: checks the types, and gives what is missing its zero value (an
 * empty text, 0, false, an empty list; null where the type allows it). The engine lets no call through that lacks what
 * the type demands; for a direct call the handler's own rules say best what is missing. An enum has no zero value: it
 * stays undefined. What is declared nowhere is left out.
 */
@Injectable()
export class ArgumentsPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const type = metadata.metatype;
    if (metadata.type !== 'body' || type === undefined || !argumentClasses.has(type)) {
      return value;
    }
    return decode(type as new () => object, value);
  }
}

/** Makes an instance of an argument class of a JSON value. */
export function decode<T extends object>(type: new () => T, input: unknown): T {
  if (!isObject(input)) {
    throw wrongKind('input', input);
  }
  const keys = Object.keys(new type());
  // The engine sends {"input": {"input": {...}}} for the one argument "input"; people who call the handler by hand write
  // {"input": {...}}. Both are accepted.
  const bare = keys.length === 1 && keys[0] === 'input' && !('input' in input);
  const args = plainToInstance(type, bare ? { input } : input);
  fill(args);
  const [fault] = validateSync(args, { forbidUnknownValues: false, skipUndefinedProperties: true, whitelist: true });
  if (fault !== undefined) {
    throw explain(fault);
  }
  return args;
}

/** Puts the zero value in the place of null where null is not allowed. */
function fill(value: unknown): void {
  if (Array.isArray(value)) {
    value.forEach(fill);
    return;
  }
  if (!isObject(value) || value.constructor === Object) {
    return; // JSON as it came, for a scalar of any shape
  }
  const zero = new (value.constructor as new () => Record<string, unknown>)();
  for (const key of Object.keys(zero)) {
    value[key] ??= zero[key];
    fill(value[key]);
  }
}

/** Says what is wrong in the caller's words: the path of the field and the kind of JSON that is there. */
function explain(fault: ValidationError): ActionError {
  const path: string[] = [];
  let at: ValidationError = fault;
  for (;;) {
    if (!Array.isArray(at.target)) {
      path.push(at.property);
    }
    const child = at.children?.[0];
    if (at.constraints !== undefined || child === undefined) {
      break;
    }
    at = child;
  }
  const constraints = at.constraints ?? {};
  if (constraints.isEnum !== undefined && typeof at.value === 'string') {
    return ActionError.badRequest(Code.badRequest, `input is not valid: ${constraints.isEnum}`);
  }
  const what = path.join('.').replace(/^input\./, '');
  if (constraints.isInt !== undefined && typeof at.value === 'number') {
    return ActionError.badRequest(Code.badRequest, `${what} must not be a JSON number ${at.value}`);
  }
  return wrongKind(what, culprit(at.value, Object.keys(constraints)));
}

/** What tells good elements of a list from bad ones, by the name of the check that failed. */
const elementChecks: Readonly<Record<string, (value: unknown) => boolean>> = {
  isString: isText,
  isInt: isWhole,
  isNumber: isFinite,
  isBoolean: isFlag,
  isObject: isRecord,
};

/** The value that failed: the element at fault where a list is checked element by element. */
function culprit(value: unknown, failed: string[]): unknown {
  const check = failed.map((name) => elementChecks[name]).find((found) => found !== undefined);
  if (!Array.isArray(value) || check === undefined) {
    return value;
  }
  const at = value.findIndex((element) => !check(element));
  return at < 0 ? value : (value[at] as unknown);
}
