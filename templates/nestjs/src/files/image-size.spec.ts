import sharp from 'sharp';

import { sniff } from './content';
import { imageSize } from './image-size';

const image = sharp({ create: { width: 30, height: 7, channels: 3, background: 'red' } });

describe('imageSize', () => {
  it.each(['png', 'jpeg', 'gif'] as const)('reads the header of a %s file', async (format) => {
    const content = await image.clone().toFormat(format).toBuffer();
    expect(imageSize(content)).toEqual({ width: 30, height: 7, format });
    for (const length of [0, 3, 8, 9, 20]) {
      expect(imageSize(content.subarray(0, length))).toEqual(
        format === 'gif' && length > 9 ? { width: 30, height: 7, format } : null,
      );
    }
  });

  it('reads progressive JPEG files, and those with metadata', async () => {
    const content = await image.clone().withMetadata({ orientation: 6 }).jpeg({ progressive: true }).toBuffer();
    expect(imageSize(content)).toMatchObject({ format: 'jpeg', width: 30, height: 7 });
  });
});

describe('sniff', () => {
  it.each([
    ['\x89PNG\r\n\x1a\n', 'image/png'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['GIF87a', 'image/gif'],
    ['GIF89a', 'image/gif'],
    ['%PDF-1.7', 'application/pdf'],
    ['a,b\r\n', 'text/csv'],
    ['\xc3\xa4\t', 'text/csv'],
    ['\xff', null],
    ['a\0', null],
    ['\x7fELF', null],
  ])('%j is %s', (content, want) => {
    expect(sniff(Buffer.from(content, 'latin1'))).toBe(want);
  });
});
