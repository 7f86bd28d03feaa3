/* libFuzzer target: the loader of model files, with a correct CRC in half of the inputs so that the weights are reached.

   Of the models that are loaded, one in SCORED_OF also scores samples, chosen by the content of the input: scoring takes a
   hundred times as long as loading. Compile with -DSCORED_OF=1U to let all of them score. */
#include <stdlib.h>
#include <string.h>

#include "stinger_bytes.h"
#include "stinger_checksum.h"
#include "stinger_inference.h"

#ifndef SCORED_OF
#define SCORED_OF 32U
#endif

static stinger_inference_t inference;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[STINGER_MLP_BYTES];
    const stinger_factory_t none = {NULL, 0, NULL, 0};
    stinger_model_type_t type;
    stinger_sample_t sample = {0, {0, 0, 2048, 500, -600, 700}, 0};
    uint8_t *exact;
    size_t i;
    bool is_mlp;
    bool scored;
    if (size < 1U) {
        return 0;
    }
    is_mlp = (data[0] & 0xF0U) == 0U;    /* seldom: their files are 16 kB */
    scored = stinger_crc32(STINGER_CRC32_START, data, size) % SCORED_OF == 0U;
    if (data[0] & 1U) {                 /* a file of full size that begins with the input */
        size_t payload = is_mlp ? STINGER_MLP_BYTES - 24U : STINGER_LR_BYTES - 24U;
        size_t part = size - 1U < payload + 24U ? size - 1U : payload + 24U;
        memset(file, 0x3C, payload + 24U);
        memcpy(file, data + 1, part);
        if (data[0] & 4U) {
            memcpy(file, "MLMD\1\0\62\0", 8);
            file[8] = is_mlp ? 1U : 0U;
            stinger_put_u16(file + 10, is_mlp ? 30U : 18U);
            stinger_put_u16(file + 12, is_mlp ? 64U : 0U);
            stinger_put_u16(file + 14, is_mlp ? 32U : 0U);
            stinger_put_u32(file + 16, (uint32_t)payload);
        }
        stinger_put_u32(file + 20, stinger_crc32(STINGER_CRC32_START, file + 24, payload));
        data = file;
        size = payload + 24U;
    }
    exact = (uint8_t *)malloc(size);    /* a block of its own, so that reading beyond it is found */
    if (!exact) {
        abort();
    }
    memcpy(exact, data, size);
    if (stinger_model_check(exact, size, &type) == STINGER_MODEL_OK) {
        stinger_inference_init(&inference, &none, 0.5F);
        stinger_inference_use(&inference, exact, type);
        for (i = 0; scored && i < 55U; i++) {
            stinger_score_t score;
            sample.timestamp_ms += 10U;
            sample.axes[3] = (int16_t)(sample.axes[3] * -3);
            score = stinger_inference_push(&inference, &sample);
            if (!(score.probability >= 0.0F && score.probability <= 1.0F)) {
                abort();
            }
        }
    }
    free(exact);
    return 0;
}
