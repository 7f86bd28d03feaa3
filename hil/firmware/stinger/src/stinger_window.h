/* The last 500 ms of samples, and the features that a model gets of them. */
#ifndef STINGER_WINDOW_H
#define STINGER_WINDOW_H

#include <stdbool.h>

#include "stinger_sample.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_WINDOW_SAMPLES 50U
#define STINGER_GAP_MS 100U             /* a longer step between two samples empties the window */
#define STINGER_GATE_LSB 60             /* below this root mean square of the gyroscope's magnitude, the output is 0 */

#define STINGER_SUMMARY_FEATURES 18U
#define STINGER_RICH_FEATURES 30U

/* Integer sums over the window are updated with each sample: exact, so they never drift. */
typedef struct {
    int16_t axes[STINGER_WINDOW_SAMPLES][STINGER_CHANNELS];
    double magnitude[2][STINGER_WINDOW_SAMPLES];    /* of accelerometer and gyroscope, LSB */
    int32_t sum[STINGER_CHANNELS];
    int32_t absolute_sum[STINGER_CHANNELS];
    int64_t square_sum[STINGER_CHANNELS];
    uint32_t last_ms;
    uint8_t next;                       /* where the next sample goes: that of the oldest one */
    uint8_t count;                      /* samples in the window, up to 50 */
} stinger_window_t;

/* Empty the window. */
void stinger_window_init(stinger_window_t *window);

/* Add a sample in place of the oldest one. A gap of more than STINGER_GAP_MS, or a step back, empties the window first. */
void stinger_window_push(stinger_window_t *window, const stinger_sample_t *sample);

/* Return whether the window holds 50 samples without a gap: before, there are no features. */
bool stinger_window_full(const stinger_window_t *window);

/* Return whether the device lies so still that the output is 0 whatever the model gives. */
bool stinger_window_at_rest(const stinger_window_t *window);

/* Write the `summary` features of a full window: mean, population standard deviation and largest absolute value of
 * each channel. */
void stinger_window_summary(const stinger_window_t *window, double features[STINGER_SUMMARY_FEATURES]);

/* Write the `rich` features of a full window: `summary`, the mean absolute value of each channel, and mean, deviation
 * and maximum of the accelerometer's magnitude, then of the gyroscope's. */
void stinger_window_rich(const stinger_window_t *window, double features[STINGER_RICH_FEATURES]);

#ifdef __cplusplus
}
#endif
#endif
