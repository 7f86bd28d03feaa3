/* Frames of the live stream: COBS-encoded, with a CRC and a sequence number. docs/protocol.md describes them. */
#ifndef STINGER_FRAME_H
#define STINGER_FRAME_H

#include <stdbool.h>

#include "stinger_sample.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_FRAME_SAMPLE 1U     /* a sample */
#define STINGER_FRAME_SCORED 2U     /* a sample with the device's own score */

#define STINGER_FRAME_SAMPLE_BYTES 22U
#define STINGER_FRAME_SCORED_BYTES 27U
#define STINGER_FRAME_MAX_ENCODED (STINGER_FRAME_SCORED_BYTES + 2U)     /* COBS adds a byte; a zero byte ends it */

#define STINGER_SCORE_WHEELS 1U     /* bit of `flags`: the wheels are on */
#define STINGER_SCORE_KNOWN 2U      /* bit of `flags`: the window was full, so `probability` is a model's output */

/* What the device made of a sample. */
typedef struct {
    float probability;
    uint8_t flags;
} stinger_score_t;

/* Write the encoded frame of `sample` with its zero byte; return its length in bytes.
 * With `score` it is a frame of type 2, with NULL of type 1. */
size_t stinger_frame_encode(const stinger_sample_t *sample, const stinger_score_t *score, uint16_t sequence,
                            uint8_t out[STINGER_FRAME_MAX_ENCODED]);

/* COBS-encode `size` bytes, at most 254; return the length, size + 1. There is no zero byte in `out`. */
size_t stinger_cobs_encode(const uint8_t *data, size_t size, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
