#include "stinger_model.h"

#include <math.h>
#include <string.h>

#include "stinger_bytes.h"
#include "stinger_checksum.h"

#define SCALE_FLOOR 1e-10F
#define LR_PAYLOAD (STINGER_LR_BYTES - STINGER_MODEL_HEADER_BYTES)
#define MLP_PAYLOAD (STINGER_MLP_BYTES - STINGER_MODEL_HEADER_BYTES)

static bool all_finite(const uint8_t *payload, size_t size)
{
    size_t i;
    for (i = 0; i < size; i += 4U) {
        if ((stinger_get_u32(payload + i) & 0x7F800000U) == 0x7F800000U) {  /* the exponent of NaN and infinity */
            return false;
        }
    }
    return true;
}

static bool has_dimensions(const uint8_t *file, stinger_model_type_t type)
{
    uint16_t features = stinger_get_u16(file + 10);
    if (type == STINGER_MODEL_LR) {
        return features == STINGER_SUMMARY_FEATURES;    /* the two widths of hidden layers mean nothing here */
    }
    return features == STINGER_RICH_FEATURES && stinger_get_u16(file + 12) == STINGER_HIDDEN_1 &&
           stinger_get_u16(file + 14) == STINGER_HIDDEN_2;
}

stinger_model_refusal_t stinger_model_check(const uint8_t *file, size_t size, stinger_model_type_t *type)
{
    size_t payload;
    if (size < STINGER_MODEL_HEADER_BYTES) {
        return STINGER_MODEL_HEADER;
    }
    if (memcmp(file, "MLMD", 4) != 0) {
        return STINGER_MODEL_MAGIC;
    }
    if (stinger_get_u16(file + 4) != 1U) {
        return STINGER_MODEL_VERSION;
    }
    if (stinger_get_u16(file + 6) != STINGER_WINDOW_SAMPLES) {
        return STINGER_MODEL_WINDOW;
    }
    if (file[8] > 1U) {
        return STINGER_MODEL_TYPE;
    }
    *type = file[8] ? STINGER_MODEL_MLP : STINGER_MODEL_LR;
    if (!has_dimensions(file, *type)) {
        return STINGER_MODEL_DIMENSIONS;
    }
    payload = *type == STINGER_MODEL_LR ? LR_PAYLOAD : MLP_PAYLOAD;
    if (stinger_get_u32(file + 16) != payload || size < STINGER_MODEL_HEADER_BYTES + payload) {
        return STINGER_MODEL_PAYLOAD_SIZE;
    }
    file += STINGER_MODEL_HEADER_BYTES;
    if (stinger_crc32(STINGER_CRC32_START, file, payload) != stinger_get_u32(file - 4)) {
        return STINGER_MODEL_CRC;
    }
    return all_finite(file, payload) ? STINGER_MODEL_OK : STINGER_MODEL_NOT_FINITE;
}

/* Read `count` numbers at `*from` and move it behind them. */
static void load_floats(float *out, size_t count, const uint8_t **from)
{
    size_t i;
    for (i = 0; i < count; i++) {
        out[i] = stinger_get_f32(*from + 4U * i);
    }
    *from += 4U * count;
}

static void load_scaler(float *mean, float *scale, size_t count, const uint8_t **from)
{
    size_t i;
    load_floats(mean, count, from);
    load_floats(scale, count, from);
    for (i = 0; i < count; i++) {
        scale[i] = scale[i] < SCALE_FLOOR ? SCALE_FLOOR : scale[i];
    }
}

void stinger_lr_load(stinger_lr_t *model, const uint8_t *file)
{
    const uint8_t *from = file + STINGER_MODEL_HEADER_BYTES;
    load_scaler(model->mean, model->scale, STINGER_SUMMARY_FEATURES, &from);
    load_floats(model->coef, STINGER_SUMMARY_FEATURES, &from);
    load_floats(&model->intercept, 1, &from);
}

void stinger_mlp_load(stinger_mlp_t *model, const uint8_t *file)
{
    const uint8_t *from = file + STINGER_MODEL_HEADER_BYTES;
    size_t row;
    load_scaler(model->mean, model->scale, STINGER_RICH_FEATURES, &from);
    for (row = 0; row < STINGER_HIDDEN_1; row++) {
        load_floats(model->w1[row], STINGER_RICH_FEATURES, &from);
    }
    load_floats(model->b1, STINGER_HIDDEN_1, &from);
    for (row = 0; row < STINGER_HIDDEN_2; row++) {
        load_floats(model->w2[row], STINGER_HIDDEN_1, &from);
    }
    load_floats(model->b2, STINGER_HIDDEN_2, &from);
    load_floats(model->w3, STINGER_HIDDEN_2, &from);
    load_floats(&model->b3, 1, &from);
}

static float sigmoid(float value)
{
    /* Far below -80 the exponential overflows; at -80 the result is 1e-35. */
    return 1.0F / (1.0F + expf(-(value < -80.0F ? -80.0F : value)));
}

/* Sums of eight: a single long one would lose half a digit. */
#define PART 8U

/* Return the sum of weights[i] * values[i] over the `count` positions i in `positions`. */
static float dot(const float *weights, const float *values, const uint8_t *positions, size_t count)
{
    float sum = 0.0F;
    size_t i = 0;
    while (i < count) {
        size_t end = count - i < PART ? count : i + PART;
        float part = 0.0F;
        for (; i < end; i++) {
            part += weights[positions[i]] * values[positions[i]];
        }
        sum += part;
    }
    return sum;
}

/* Write the positions of the positive ones of `values`, and return how many they are. Half of what a ReLU passes on is
 * 0, and multiplying is slow without an FPU. */
static size_t positives(const float *values, size_t count, uint8_t *positions)
{
    size_t found = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        if (values[i] > 0.0F) {
            positions[found++] = (uint8_t)i;
        }
    }
    return found;
}

static const uint8_t all_positions[STINGER_RICH_FEATURES] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
};

/* The difference in double precision: a mean of thousands of LSB less the scaler's would lose three digits of a float. */
static void standardise(float *out, const double *features, const float *mean, const float *scale, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        out[i] = (float)(features[i] - (double)mean[i]) / scale[i];
    }
}

float stinger_lr_probability(const stinger_lr_t *model, const stinger_window_t *window)
{
    double features[STINGER_SUMMARY_FEATURES];
    float values[STINGER_SUMMARY_FEATURES];
    if (stinger_window_at_rest(window)) {
        return 0.0F;
    }
    stinger_window_summary(window, features);
    standardise(values, features, model->mean, model->scale, STINGER_SUMMARY_FEATURES);
    return sigmoid(dot(model->coef, values, all_positions, STINGER_SUMMARY_FEATURES) + model->intercept);
}

float stinger_mlp_probability(const stinger_mlp_t *model, const stinger_window_t *window)
{
    double features[STINGER_RICH_FEATURES];
    float values[STINGER_RICH_FEATURES];
    float hidden_1[STINGER_HIDDEN_1];
    float hidden_2[STINGER_HIDDEN_2];
    uint8_t positions[STINGER_HIDDEN_1];
    size_t active;
    size_t row;
    if (stinger_window_at_rest(window)) {
        return 0.0F;
    }
    stinger_window_rich(window, features);
    standardise(values, features, model->mean, model->scale, STINGER_RICH_FEATURES);
    for (row = 0; row < STINGER_HIDDEN_1; row++) {
        hidden_1[row] = dot(model->w1[row], values, all_positions, STINGER_RICH_FEATURES) + model->b1[row];
    }
    active = positives(hidden_1, STINGER_HIDDEN_1, positions);
    for (row = 0; row < STINGER_HIDDEN_2; row++) {
        hidden_2[row] = dot(model->w2[row], hidden_1, positions, active) + model->b2[row];
    }
    active = positives(hidden_2, STINGER_HIDDEN_2, positions);
    return sigmoid(dot(model->w3, hidden_2, positions, active) + model->b3);
}
