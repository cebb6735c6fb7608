import { registerDecorator } from 'class-validator';

/** Accepts a JSON number, and text that holds one: how numbers travel that a JavaScript number cannot hold. */
export function IsNumeric(): PropertyDecorator {
  return check('isNumeric', isNumeric);
}

/**
 * Checks lists that the each option of class-validator cannot describe: lists of lists, and lists that may hold null. The
 * type is written as in GraphQL, such as "[[Int!]]"; item checks what is in the innermost list.
 */
export function IsList(type: string, item: (value: unknown) => boolean): PropertyDecorator {
  return check('isList', (value) => fits(value, type, item));
}

export function isText(value: unknown): boolean {
  return typeof value === 'string';
}

export function isFlag(value: unknown): boolean {
  return typeof value === 'boolean';
}

export function isWhole(value: unknown): boolean {
  return Number.isInteger(value);
}

export function isFinite(value: unknown): boolean {
  return Number.isFinite(value);
}

export function isNumeric(value: unknown): boolean {
  return isFinite(value) || (typeof value === 'string' && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value));
}

export function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isAnything(): boolean {
  return true;
}

/** Checks for the values of an enum. */
export function isOneOf(values: Record<string, string>): (value: unknown) => boolean {
  return (value) => Object.values(values).includes(value as string);
}

function check(name: string, validate: (value: unknown) => boolean): PropertyDecorator {
  return (target, key) => {
    registerDecorator({ name, target: target.constructor, propertyName: String(key), validator: { validate } });
  };
}

function fits(value: unknown, type: string, item: (value: unknown) => boolean): boolean {
  if (!type.endsWith('!') && value === null) {
    return true;
  }
  const inner = type.replace(/!$/, '');
  if (!inner.startsWith('[')) {
    return item(value);
  }
  return Array.isArray(value) && value.every((element) => fits(element, inner.slice(1, -1), item));
}
