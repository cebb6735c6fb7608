import { crc32 } from 'node:zlib';

export interface ImageSize {
  width: number;
  height: number;
  format: 'png' | 'jpeg' | 'gif';
}

/** Reads an image's size from its header, without decoding it; null: the header is not there. */
export function imageSize(content: Buffer): ImageSize | null {
  try {
    const size = content[0] === 0x89 ? png(content) : content[0] === 0xff ? jpeg(content) : gif(content);
    return size !== null && size.width > 0 && size.height > 0 ? size : null;
  } catch (error) {
    if ((error as Error).name === 'RangeError') {
      return null; // it ends too early
    }
    throw error;
  }
}

function png(content: Buffer): ImageSize | null {
  if (content.toString('latin1', 12, 16) !== 'IHDR' || content.readUInt32BE(29) !== crc32(content.subarray(12, 29))) {
    return null;
  }
  return { width: content.readUInt32BE(16), height: content.readUInt32BE(20), format: 'png' };
}

function gif(content: Buffer): ImageSize | null {
  return { width: content.readUInt16LE(6), height: content.readUInt16LE(8), format: 'gif' };
}

/** Looks for the segment "start of frame": its markers are C0 to CF, but for three that mean something else. */
function jpeg(content: Buffer): ImageSize | null {
  for (let at = 2; ;) {
    if (content.readUInt8(at) !== 0xff) {
      return null;
    }
    const marker = content.readUInt8(at + 1);
    if (marker === 0xff) {
      at++; // padding
    } else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { width: content.readUInt16BE(at + 7), height: content.readUInt16BE(at + 5), format: 'jpeg' };
    } else if (marker === 0xda || marker === 0xd9) {
      return null; // the picture, or its end, comes without a frame
    } else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2; // markers without a segment
    } else {
      at += 2 + content.readUInt16BE(at + 2);
    }
  }
}
