/* Little-endian numbers in byte arrays. For the library's own use. */
#ifndef STINGER_BYTES_H
#define STINGER_BYTES_H

#include <stdint.h>
#include <string.h>

static inline void stinger_put_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value & 0xFFU);
    out[1] = (uint8_t)(value >> 8);
}

static inline void stinger_put_u32(uint8_t *out, uint32_t value)
{
    stinger_put_u16(out, (uint16_t)(value & 0xFFFFU));
    stinger_put_u16(out + 2, (uint16_t)(value >> 16));
}

static inline void stinger_put_f32(uint8_t *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    stinger_put_u32(out, bits);
}

static inline uint16_t stinger_get_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] | (uint16_t)(in[1] << 8));
}

static inline uint32_t stinger_get_u32(const uint8_t *in)
{
    return (uint32_t)stinger_get_u16(in) | ((uint32_t)stinger_get_u16(in + 2) << 16);
}

static inline float stinger_get_f32(const uint8_t *in)
{
    uint32_t bits = stinger_get_u32(in);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
