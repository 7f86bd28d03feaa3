/* A sample of the motion sensor, and its 17-byte record. */
#ifndef STINGER_SAMPLE_H
#define STINGER_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_CHANNELS 6
#define STINGER_SAMPLE_BYTES 17
#define STINGER_SAMPLE_HZ 100
#define STINGER_STEP_MS (1000 / STINGER_SAMPLE_HZ)

/* Raw readings in LSB: 2048 per g at +-16 g, 16.384 per deg/s at +-2000 deg/s. */
typedef struct {
    uint32_t timestamp_ms;              /* since boot; wraps after 49.7 days */
    int16_t axes[STINGER_CHANNELS];     /* ax, ay, az, gx, gy, gz */
    uint8_t trigger;                    /* 0 or 1 */
} stinger_sample_t;

/* Write the 17-byte record of `sample`, as in a log file: little-endian, packed. A trigger other than 0 becomes 1. */
void stinger_sample_encode(const stinger_sample_t *sample, uint8_t record[STINGER_SAMPLE_BYTES]);

/* Read a record; any 17 bytes are valid. */
void stinger_sample_decode(const uint8_t record[STINGER_SAMPLE_BYTES], stinger_sample_t *sample);

#ifdef __cplusplus
}
#endif
#endif
