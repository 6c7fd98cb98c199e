/** The checksums of serial frames. Pure. */

export const checksumKinds = ['sum8', 'xor8', 'crc8', 'crc16-modbus'] as const;
export type ChecksumKind = (typeof checksumKinds)[number];

/** Bytes that a checksum of this kind takes in the frame. */
export function checksumWidth(kind: ChecksumKind): number {
  return kind === 'crc16-modbus' ? 2 : 1;
}

/** The checksum as it stands in the frame; crc16-modbus low byte first. */
export function checksumOf(kind: ChecksumKind, bytes: Uint8Array): Uint8Array {
  switch (kind) {
    case 'sum8':
      return Uint8Array.of(bytes.reduce((sum, byte) => sum + byte, 0));
    case 'xor8':
      return Uint8Array.of(bytes.reduce((sum, byte) => sum ^ byte, 0));
    case 'crc8':
      return Uint8Array.of(bytes.reduce(crc8Step, 0));
    case 'crc16-modbus': {
      const crc = bytes.reduce(crc16ModbusStep, 0xffff);
      return Uint8Array.of(crc, crc >> 8);
    }
  }
}

/** Polynomial x^8 + x^2 + x + 1, most significant bit first, start 0. */
function crc8Step(crc: number, byte: number): number {
  let next = crc ^ byte;
  for (let bit = 0; bit < 8; bit += 1) next = next & 0x80 ? ((next << 1) ^ 0x07) & 0xff : next << 1;
  return next;
}

/** Reflected polynomial 0xa001, start 0xffff: "MODBUS over Serial Line" V1.02, 6.2.2. */
function crc16ModbusStep(crc: number, byte: number): number {
  let next = crc ^ byte;
  for (let bit = 0; bit < 8; bit += 1) next = next & 1 ? (next >> 1) ^ 0xa001 : next >> 1;
  return next;
}
