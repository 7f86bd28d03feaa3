#include "stinger_frame.h"

#include "stinger_bytes.h"
#include "stinger_checksum.h"

size_t stinger_cobs_encode(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t code_at = 0;
    size_t end = 1;
    size_t i;
    for (i = 0; i < size; i++) {
        if (data[i] == 0U) {
            out[code_at] = (uint8_t)(end - code_at);
            code_at = end++;
        } else {
            out[end++] = data[i];
        }
    }
    out[code_at] = (uint8_t)(end - code_at);
    return end;
}

size_t stinger_frame_encode(const stinger_sample_t *sample, const stinger_score_t *score, uint16_t sequence,
                            uint8_t out[STINGER_FRAME_MAX_ENCODED])
{
    uint8_t body[STINGER_FRAME_SCORED_BYTES];
    size_t size = 3U + STINGER_SAMPLE_BYTES;
    uint16_t crc;
    body[0] = score ? STINGER_FRAME_SCORED : STINGER_FRAME_SAMPLE;
    stinger_put_u16(body + 1, sequence);
    stinger_sample_encode(sample, body + 3);
    if (score) {
        stinger_put_f32(body + size, score->probability);
        body[size + 4] = score->flags;
        size += 5U;
    }
    crc = stinger_crc16(body, size);
    body[size++] = (uint8_t)(crc >> 8);     /* high byte first: the CRC of the whole frame is then 0 */
    body[size++] = (uint8_t)(crc & 0xFFU);
    size = stinger_cobs_encode(body, size, out);
    out[size++] = 0U;
    return size;
}
