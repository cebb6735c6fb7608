/** The types of files that are taken. */
export type ContentType = 'image/png' | 'image/jpeg' | 'image/gif' | 'text/csv' | 'application/pdf';

const signatures: readonly [ContentType, Buffer][] = [
  ['image/png', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
  ['image/jpeg', Buffer.from('\xff\xd8\xff', 'latin1')],
  ['image/gif', Buffer.from('GIF87a')],
  ['image/gif', Buffer.from('GIF89a')],
  ['application/pdf', Buffer.from('%PDF-')],
];

/** Says what content is, by looking at it; any text counts as CSV. Null: nothing that is taken. */
export function sniff(content: Buffer): ContentType | null {
  const known = signatures.find(([, signature]) => content.subarray(0, signature.length).equals(signature));
  if (known !== undefined) {
    return known[0];
  }
  return isText(content) ? 'text/csv' : null;
}

/** Whether content is text in UTF-8, without control characters but for tabs and line ends. */
function isText(content: Buffer): boolean {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return false;
  }
  // eslint-disable-next-line no-control-regex -- these are what it looks for
  return !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text);
}
