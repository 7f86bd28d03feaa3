/* The two checksums of the protocol. */
#ifndef STINGER_CHECKSUM_H
#define STINGER_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Return CRC-16/CCITT-FALSE of `data`: polynomial 0x1021, initial value 0xFFFF, not reflected. */
uint16_t stinger_crc16(const uint8_t *data, size_t size);

#define STINGER_CRC32_START 0U

/* Continue the CRC-32 of zlib and PNG with `data`; start with STINGER_CRC32_START. */
uint32_t stinger_crc32(uint32_t crc, const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
