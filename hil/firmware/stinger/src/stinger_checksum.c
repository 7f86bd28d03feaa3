#include "stinger_checksum.h"

/* Tables for four bits at a time: 96 bytes of flash, a quarter of the steps of a loop over bits. */
static const uint16_t crc16_of_nibble[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
    0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
};

static const uint32_t crc32_of_nibble[16] = {
    0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U, 0x4DB26158U, 0x5005713CU,
    0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU, 0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU,
};

uint16_t stinger_crc16(const uint8_t *data, size_t size)
{
    uint16_t crc = 0xFFFFU;
    size_t i;
    for (i = 0; i < size; i++) {
        crc = (uint16_t)((uint16_t)(crc << 4) ^ crc16_of_nibble[(crc >> 12) ^ (data[i] >> 4)]);
        crc = (uint16_t)((uint16_t)(crc << 4) ^ crc16_of_nibble[(crc >> 12) ^ (data[i] & 0x0FU)]);
    }
    return crc;
}

uint32_t stinger_crc32(uint32_t crc, const uint8_t *data, size_t size)
{
    size_t i;
    crc = ~crc;
    for (i = 0; i < size; i++) {
        crc = (crc >> 4) ^ crc32_of_nibble[(crc ^ data[i]) & 0x0FU];
        crc = (crc >> 4) ^ crc32_of_nibble[(crc ^ (uint32_t)(data[i] >> 4)) & 0x0FU];
    }
    return ~crc;
}
