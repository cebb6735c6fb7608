import type { Readable } from 'node:stream';

/** Larger images are not taken: they would need too much memory when they are decoded. */
export const maxPixels = 40_000_000;

/** What thumbnails are stored with. */
const jpegQuality = 85;

/** An image that cannot be decoded. */
export class ImageError extends Error {}

/** Makes a small image that fits into a box and is never larger than the image itself. */
export async function thumbnail(
  image: Readable,
  as: 'png' | 'jpeg',
  box: { width: number; height: number },
): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const shrink = sharp({ limitInputPixels: maxPixels })
    .autoOrient()
    .resize({ ...box, fit: 'inside', withoutEnlargement: true })
    .toFormat(as, as === 'jpeg' ? { quality: jpegQuality } : {});
  let unread: Error | undefined;
  image.once('error', (error) => {
    unread = error;
    shrink.destroy(error);
  });
  try {
    return await image.pipe(shrink).toBuffer();
  } catch (cause) {
    throw unread ?? new ImageError('decode the image', { cause });
  }
}
