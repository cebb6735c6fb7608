import 'reflect-metadata';

import { Type } from 'class-transformer';
import {
  Allow,
  IsArray,
  IsBoolean,
  IsEnum,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  ValidateNested,
} from 'class-validator';

import type { ActionError } from './action-error';
import { Arguments, ArgumentsPipe, decode, Items } from './arguments.pipe';
import { IsList, IsNumeric, isText } from './validators';

enum State {
  OPEN = 'OPEN',
  PAID = 'PAID',
}

class Line {
  @IsString()
  sku: string = '';

  @IsInt()
  count: number = 0;

  @IsOptional()
  @IsNumeric()
  amount: number | string | null = null;

  @IsOptional()
  @IsEnum(State, { message: '"$value" is not a value of State' })
  state: State | null = null;
}

@Arguments()
class OrderArgs {
  @IsArray()
  @IsObject({ each: true })
  @Items(() => Line)
  @ValidateNested({ each: true })
  lines: Line[] = [];

  @IsBoolean()
  rush: boolean = false;

  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  tags: string[] | null = null;

  @IsList('[[String]!]!', isText)
  grid: (string | null)[][] = [];

  @Allow()
  extra: unknown = null;
}

class Required {
  @IsEnum(State, { message: '"$value" is not a value of State' })
  state!: State;
}

@Arguments()
class RequiredArgs {
  @IsObject()
  @Type(() => Required)
  @ValidateNested()
  input: Required = new Required();
}

@Arguments()
class InputArgs {
  @IsObject()
  @Type(() => Line)
  @ValidateNested()
  input: Line = new Line();
}

function refusal(type: new () => object, input: unknown): string {
  try {
    decode(type, input);
  } catch (error) {
    return (error as ActionError).message;
  }
  return 'no error';
}

describe('decode', () => {
  it('gives what is missing or null its zero value, and leaves out what is not declared', () => {
    expect(decode(OrderArgs, { rush: null, other: 1, lines: [{ sku: null }] })).toEqual({
      lines: [{ sku: '', count: 0, amount: null, state: null }],
      rush: false,
      tags: null,
      grid: [],
      extra: null,
    });
  });

  it('leaves a missing enum undefined, and gives a missing item of a list its zero value', () => {
    for (const input of [{}, { state: null }]) {
      expect(decode(RequiredArgs, { input }).input.state).toBeUndefined();
    }
    expect(decode(OrderArgs, { lines: [null] }).lines).toEqual([new Line()]);
  });

  it('makes instances of the nested classes, and leaves JSON of any shape as it is', () => {
    const extra = { deep: [null, { sku: null }] };
    const args = decode(OrderArgs, { lines: [{ sku: 'a', amount: '12.50' }], grid: [['x', null], []], extra });
    expect(args.lines[0]).toBeInstanceOf(Line);
    expect(args).toMatchObject({ lines: [{ amount: '12.50' }], grid: [['x', null], []], extra });
  });

  it('accepts the one argument "input" with and without its name', () => {
    for (const input of [{ sku: 'a' }, { input: { sku: 'a' } }]) {
      expect(decode(InputArgs, input)).toMatchObject({ input: { sku: 'a' } });
    }
    expect(decode(InputArgs, { input: null })).toMatchObject({ input: { sku: '' } });
  });

  it.each([
    [InputArgs, 'x', 'input must not be a JSON string'],
    [InputArgs, [], 'input must not be a JSON array'],
    [InputArgs, { input: 5 }, 'input must not be a JSON number'],
    [InputArgs, { input: [] }, 'input must not be a JSON array'],
    [InputArgs, { sku: 5 }, 'sku must not be a JSON number'],
    [InputArgs, { count: 1.5 }, 'count must not be a JSON number 1.5'],
    [InputArgs, { count: '1' }, 'count must not be a JSON string'],
    [InputArgs, { amount: 'many' }, 'amount must not be a JSON string'],
    [InputArgs, { state: 'LOST' }, 'input is not valid: "LOST" is not a value of State'],
    [RequiredArgs, { state: '' }, 'input is not valid: "" is not a value of State'],
    [InputArgs, { state: 1 }, 'state must not be a JSON number'],
    [OrderArgs, { rush: 'yes' }, 'rush must not be a JSON string'],
    [OrderArgs, { lines: {} }, 'lines must not be a JSON object'],
    [OrderArgs, { lines: [{ sku: 'a' }, { sku: true }] }, 'lines.sku must not be a JSON bool'],
    [OrderArgs, { lines: ['a'] }, 'lines must not be a JSON string'],
    [OrderArgs, { tags: ['a', 5] }, 'tags must not be a JSON number'],
    [OrderArgs, { grid: [['a'], null] }, 'grid must not be a JSON array'],
  ])('refuses %# %j', (type, input, want) => {
    expect(refusal(type, input)).toBe(want);
  });

  it('is not led astray by the names of inherited properties', () => {
    const input: unknown = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"x": 1}, "sku": "a"}');
    expect(decode(InputArgs, input).input.sku).toBe('a');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('ArgumentsPipe', () => {
  it('leaves alone what is not the arguments of an action', () => {
    const pipe = new ArgumentsPipe();
    expect(pipe.transform({ a: 1 }, { type: 'body', metatype: Object })).toEqual({ a: 1 });
    expect(pipe.transform('7', { type: 'query', metatype: InputArgs })).toBe('7');
    expect(pipe.transform({}, { type: 'body', metatype: InputArgs })).toBeInstanceOf(InputArgs);
  });
});
