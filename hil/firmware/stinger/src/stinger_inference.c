#include "stinger_inference.h"

#include <string.h>

#include "stinger_atomic.h"

/* Values of `request`. */
#define NOTHING 0U
#define USE_LR 1U
#define USE_MLP 2U
#define USE_FACTORY 3U

static void use_factory_models(stinger_inference_t *inference)
{
    const stinger_factory_t *factory = &inference->factory;
    stinger_model_type_t type;
    inference->has_lr = factory->lr && stinger_model_check(factory->lr, factory->lr_bytes, &type) == STINGER_MODEL_OK &&
                        type == STINGER_MODEL_LR;
    if (inference->has_lr) {
        stinger_lr_load(&inference->lr, factory->lr);
    }
    inference->has_mlp = factory->mlp && stinger_model_check(factory->mlp, factory->mlp_bytes, &type) == STINGER_MODEL_OK &&
                         type == STINGER_MODEL_MLP;
    if (inference->has_mlp) {
        stinger_mlp_load(&inference->mlp, factory->mlp);
    }
    inference->user_lr = false;
    inference->user_mlp = false;
    inference->serving = inference->has_mlp || !inference->has_lr ? STINGER_MODEL_MLP : STINGER_MODEL_LR;
}

static void carry_out_request(stinger_inference_t *inference)
{
    uint32_t request = STINGER_LOAD(inference->request);
    if (request == NOTHING) {
        return;
    }
    if (request == USE_FACTORY) {
        use_factory_models(inference);
    } else {
        stinger_inference_use(inference, inference->requested_file,
                              request == USE_LR ? STINGER_MODEL_LR : STINGER_MODEL_MLP);
    }
    STINGER_STORE(inference->request, NOTHING);
}

void stinger_inference_init(stinger_inference_t *inference, const stinger_factory_t *factory, float on)
{
    memset(inference, 0, sizeof *inference);
    inference->factory = *factory;
    stinger_window_init(&inference->window);
    stinger_decision_init(&inference->decision, on);
    use_factory_models(inference);
}

void stinger_inference_use(stinger_inference_t *inference, const uint8_t *file, stinger_model_type_t type)
{
    if (type == STINGER_MODEL_LR) {
        stinger_lr_load(&inference->lr, file);
        inference->has_lr = inference->user_lr = true;
    } else {
        stinger_mlp_load(&inference->mlp, file);
        inference->has_mlp = inference->user_mlp = true;
    }
    inference->serving = type;
}

void stinger_inference_request_model(stinger_inference_t *inference, const uint8_t *file, stinger_model_type_t type)
{
    inference->requested_file = file;
    STINGER_STORE(inference->request, type == STINGER_MODEL_LR ? USE_LR : USE_MLP);
}

void stinger_inference_request_factory(stinger_inference_t *inference)
{
    STINGER_STORE(inference->request, USE_FACTORY);
}

bool stinger_inference_idle(const stinger_inference_t *inference)
{
    return STINGER_LOAD(inference->request) == NOTHING;
}

stinger_score_t stinger_inference_push(stinger_inference_t *inference, const stinger_sample_t *sample)
{
    stinger_score_t score = {0.0F, 0U};
    bool lr_serves;
    carry_out_request(inference);
    stinger_window_push(&inference->window, sample);
    lr_serves = inference->serving == STINGER_MODEL_LR;
    if (stinger_window_full(&inference->window) && (lr_serves ? inference->has_lr : inference->has_mlp)) {
        float probability = lr_serves ? stinger_lr_probability(&inference->lr, &inference->window)
                                      : stinger_mlp_probability(&inference->mlp, &inference->window);
        if (probability >= 0.0F && probability <= 1.0F) {   /* huge weights can give NaN, which would never leave the envelope */
            score.probability = probability;
            score.flags = STINGER_SCORE_KNOWN;
            STINGER_STORE(inference->output_ms, sample->timestamp_ms);
            STINGER_STORE(inference->outputs, inference->outputs + 1U);
        }
    }
    if (stinger_decision_step(&inference->decision, sample->timestamp_ms, score.probability, score.flags != 0U)) {
        score.flags |= STINGER_SCORE_WHEELS;
    }
    return score;
}

bool stinger_inference_tick(stinger_inference_t *inference, uint32_t now_ms)
{
    return stinger_decision_tick(&inference->decision, now_ms);
}
