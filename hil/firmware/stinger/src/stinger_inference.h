/* A blaster's own predictions: samples in, probability and wheels out, with models that can be replaced while it runs.
 *
 * One side (the sampling core) calls push and tick; the other (the sending core) prepares a model in memory and asks
 * for it with `request`. The sampling side takes it over between two samples, so neither waits for the other. */
#ifndef STINGER_INFERENCE_H
#define STINGER_INFERENCE_H

#include "stinger_decision.h"
#include "stinger_frame.h"
#include "stinger_model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The models that are in use until others are uploaded: MLMD files, NULL for none. */
typedef struct {
    const uint8_t *lr;
    size_t lr_bytes;
    const uint8_t *mlp;
    size_t mlp_bytes;
} stinger_factory_t;

typedef struct {
    stinger_window_t window;
    stinger_decision_t decision;
    stinger_lr_t lr;
    stinger_mlp_t mlp;
    stinger_factory_t factory;
    stinger_model_type_t serving;       /* which of the two models is in use; it may be missing */
    bool has_lr, has_mlp;
    bool user_lr, user_mlp;             /* the model was uploaded */
    uint32_t output_ms;                 /* time of the newest output */
    uint32_t outputs;                   /* number of outputs since the start */
    const uint8_t *requested_file;      /* belongs to the sampling side while `request` is not 0 */
    uint32_t request;
} stinger_inference_t;

/* Start with the factory models, the MLP in use, and wheels that go on at `on`. Factory files that are not valid are left
 * out; without a model there is no output. */
void stinger_inference_init(stinger_inference_t *inference, const stinger_factory_t *factory, float on);

/* Use `file`, which stinger_model_check accepted as `type`. For the sampling side, or before sampling starts. */
void stinger_inference_use(stinger_inference_t *inference, const uint8_t *file, stinger_model_type_t type);

/* Ask the sampling side to use `file`, which must stay unchanged until stinger_inference_idle. */
void stinger_inference_request_model(stinger_inference_t *inference, const uint8_t *file, stinger_model_type_t type);

/* Ask the sampling side to go back to the factory models. */
void stinger_inference_request_factory(stinger_inference_t *inference);

/* Return whether the last request was carried out. */
bool stinger_inference_idle(const stinger_inference_t *inference);

/* Process a sample: carry out a request, score the window that it completes, decide about the wheels. */
stinger_score_t stinger_inference_push(stinger_inference_t *inference, const stinger_sample_t *sample);

/* Return whether the wheels are on at `now_ms`, also when no sample came for a while. */
bool stinger_inference_tick(stinger_inference_t *inference, uint32_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
