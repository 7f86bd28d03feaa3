#include "stinger_sample.h"

#include "stinger_bytes.h"

void stinger_sample_encode(const stinger_sample_t *sample, uint8_t record[STINGER_SAMPLE_BYTES])
{
    size_t axis;
    stinger_put_u32(record, sample->timestamp_ms);
    for (axis = 0; axis < STINGER_CHANNELS; axis++) {
        stinger_put_u16(record + 4 + 2 * axis, (uint16_t)sample->axes[axis]);
    }
    record[16] = sample->trigger ? 1U : 0U;
}

void stinger_sample_decode(const uint8_t record[STINGER_SAMPLE_BYTES], stinger_sample_t *sample)
{
    size_t axis;
    sample->timestamp_ms = stinger_get_u32(record);
    for (axis = 0; axis < STINGER_CHANNELS; axis++) {
        sample->axes[axis] = (int16_t)stinger_get_u16(record + 4 + 2 * axis);
    }
    sample->trigger = record[16] ? 1U : 0U;
}
