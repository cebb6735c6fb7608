import { csvStatistics, readCsv } from './csv-statistics';

async function* pieces(text: string, size: number): AsyncGenerator<Buffer> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += size) {
    yield all.subarray(at, at + size);
  }
}

describe('readCsv', () => {
  it.each([
    ['', []],
    [
      'a,b\r\n1,2\r\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['a\n\n\r\nb', [['a'], ['b']]],
    ['\ufeffa,\n', [['a', '']]],
    ['"a,""b""\nc",d', [['a,"b"\nc', 'd']]],
    ['a"b,"c"d",e', [['a"b', 'c"d', 'e']]],
    ['"open', [['open']]],
    ['ä,€,😀', [['ä', '€', '😀']]],
  ])('%j', async (text, want) => {
    for (const size of [1, 2, 100]) {
      const records = [];
      for await (const record of readCsv(pieces(text, size))) {
        records.push(record);
      }
      expect(records).toEqual(want);
    }
  });
});

describe('csvStatistics', () => {
  it('tells empty cells from numbers', async () => {
    await expect(csvStatistics(pieces('name, n \nA,1\nB, -2.5e1 \nC,\nD\nE,x,y\n', 7))).resolves.toEqual({
      rows: 5,
      columns: [
        { name: 'name', empty: 0, numeric: 0, min: null, max: null },
        { name: ' n ', empty: 2, numeric: 2, min: -25, max: 1 },
      ],
    });
    await expect(csvStatistics(pieces('', 1))).resolves.toEqual({ rows: 0, columns: [] });
  });
});
