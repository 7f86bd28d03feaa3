/* Models: an MLMD file in memory, checked and loaded, and its output for a window. docs/protocol.md describes the file. */
#ifndef STINGER_MODEL_H
#define STINGER_MODEL_H

#include "stinger_window.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_MODEL_HEADER_BYTES 24U
#define STINGER_LR_BYTES 244U           /* size of a file with a logistic regression */
#define STINGER_MLP_BYTES 16652U        /* size of a file with an MLP */
#define STINGER_HIDDEN_1 64U
#define STINGER_HIDDEN_2 32U

typedef enum {
    STINGER_MODEL_LR = 0,               /* logistic regression on `summary` features */
    STINGER_MODEL_MLP = 1               /* 30 -> 64 -> 32 -> 1 on `rich` features */
} stinger_model_type_t;

/* Why a file is refused, in the order of the checks. */
typedef enum {
    STINGER_MODEL_OK = 0,
    STINGER_MODEL_HEADER,               /* fewer than 24 bytes */
    STINGER_MODEL_MAGIC,
    STINGER_MODEL_VERSION,
    STINGER_MODEL_WINDOW,
    STINGER_MODEL_TYPE,
    STINGER_MODEL_DIMENSIONS,
    STINGER_MODEL_PAYLOAD_SIZE,         /* announces or holds too few bytes; bytes after the payload are ignored */
    STINGER_MODEL_CRC,
    STINGER_MODEL_NOT_FINITE
} stinger_model_refusal_t;

typedef struct {
    float mean[STINGER_SUMMARY_FEATURES];
    float scale[STINGER_SUMMARY_FEATURES];
    float coef[STINGER_SUMMARY_FEATURES];
    float intercept;
} stinger_lr_t;

typedef struct {
    float mean[STINGER_RICH_FEATURES];
    float scale[STINGER_RICH_FEATURES];
    float w1[STINGER_HIDDEN_1][STINGER_RICH_FEATURES];
    float b1[STINGER_HIDDEN_1];
    float w2[STINGER_HIDDEN_2][STINGER_HIDDEN_1];
    float b2[STINGER_HIDDEN_2];
    float w3[STINGER_HIDDEN_2];
    float b3;
} stinger_mlp_t;

/* Check a file; on STINGER_MODEL_OK `type` is its kind. Any bytes may be given: nothing is read beyond `size`. */
stinger_model_refusal_t stinger_model_check(const uint8_t *file, size_t size, stinger_model_type_t *type);

/* Load a file that stinger_model_check accepted as this kind. */
void stinger_lr_load(stinger_lr_t *model, const uint8_t *file);
void stinger_mlp_load(stinger_mlp_t *model, const uint8_t *file);

/* Return the probability of a shot, 0 to 1, for a full window; 0 for one at rest. */
float stinger_lr_probability(const stinger_lr_t *model, const stinger_window_t *window);
float stinger_mlp_probability(const stinger_mlp_t *model, const stinger_window_t *window);

#ifdef __cplusplus
}
#endif
#endif
