#include "stinger_window.h"

#include <math.h>
#include <string.h>

#define WIDTH ((int32_t)STINGER_WINDOW_SAMPLES)

static int32_t absolute(int16_t value)
{
    int32_t wide = value;
    return wide < 0 ? -wide : wide;
}

static double magnitude_of(const int16_t *axes)
{
    double sum = 0.0;
    size_t axis;
    for (axis = 0; axis < 3U; axis++) {
        sum += (double)axes[axis] * (double)axes[axis];
    }
    return sqrt(sum);
}

/* Add the samples' values to the sums, or take them out: `sign` is 1 or -1. */
static void count_values(stinger_window_t *window, const int16_t *axes, int32_t sign)
{
    size_t channel;
    for (channel = 0; channel < STINGER_CHANNELS; channel++) {
        int32_t value = axes[channel];
        window->sum[channel] += sign * value;
        window->absolute_sum[channel] += sign * absolute(axes[channel]);
        window->square_sum[channel] += (int64_t)sign * value * value;
    }
}

void stinger_window_init(stinger_window_t *window)
{
    memset(window, 0, sizeof *window);
}

void stinger_window_push(stinger_window_t *window, const stinger_sample_t *sample)
{
    int16_t *axes;
    if (window->count > 0U && sample->timestamp_ms - window->last_ms > STINGER_GAP_MS) {
        stinger_window_init(window);    /* a step back is a huge step forward in unsigned arithmetic */
    }
    axes = window->axes[window->next];
    if (window->count == STINGER_WINDOW_SAMPLES) {
        count_values(window, axes, -1);
    } else {
        window->count++;
    }
    memcpy(axes, sample->axes, sizeof window->axes[0]);
    count_values(window, axes, 1);
    window->magnitude[0][window->next] = magnitude_of(axes);
    window->magnitude[1][window->next] = magnitude_of(axes + 3);
    window->next = (uint8_t)((window->next + 1U) % STINGER_WINDOW_SAMPLES);
    window->last_ms = sample->timestamp_ms;
}

bool stinger_window_full(const stinger_window_t *window)
{
    return window->count == STINGER_WINDOW_SAMPLES;
}

bool stinger_window_at_rest(const stinger_window_t *window)
{
    int64_t energy = window->square_sum[3] + window->square_sum[4] + window->square_sum[5];
    return energy < (int64_t)STINGER_GATE_LSB * STINGER_GATE_LSB * WIDTH;
}

void stinger_window_summary(const stinger_window_t *window, double features[STINGER_SUMMARY_FEATURES])
{
    size_t channel;
    size_t i;
    for (channel = 0; channel < STINGER_CHANNELS; channel++) {
        int64_t sum = window->sum[channel];
        int64_t spread = WIDTH * window->square_sum[channel] - sum * sum;   /* 2500 times the variance, exactly */
        int32_t largest = 0;
        for (i = 0; i < STINGER_WINDOW_SAMPLES; i++) {
            int32_t size = absolute(window->axes[i][channel]);
            largest = size > largest ? size : largest;
        }
        features[channel] = (double)sum / WIDTH;
        features[6U + channel] = sqrt((double)spread) / WIDTH;
        features[12U + channel] = (double)largest;
    }
}

void stinger_window_rich(const stinger_window_t *window, double features[STINGER_RICH_FEATURES])
{
    size_t channel;
    size_t sensor;
    size_t i;
    stinger_window_summary(window, features);
    for (channel = 0; channel < STINGER_CHANNELS; channel++) {
        features[18U + channel] = (double)window->absolute_sum[channel] / WIDTH;
    }
    for (sensor = 0; sensor < 2U; sensor++) {
        const double *magnitude = window->magnitude[sensor];
        const int64_t *squares = window->square_sum + 3U * sensor;
        double sum = 0.0;
        double largest = 0.0;
        double mean;
        double variance;
        for (i = 0; i < STINGER_WINDOW_SAMPLES; i++) {
            sum += magnitude[i];
            largest = magnitude[i] > largest ? magnitude[i] : largest;
        }
        mean = sum / WIDTH;
        /* The magnitudes' squares are the channels' squares, whose sum is exact. */
        variance = (double)(squares[0] + squares[1] + squares[2]) / WIDTH - mean * mean;
        features[24U + 3U * sensor] = mean;
        features[25U + 3U * sensor] = sqrt(variance > 0.0 ? variance : 0.0);
        features[26U + 3U * sensor] = largest;
    }
}
