/* From probabilities to wheels: envelope, hysteresis, and what happens when outputs stop. */
#ifndef STINGER_DECISION_H
#define STINGER_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_ATTACK 0.18F            /* share of a rise that the envelope follows in 10 ms: time constant 50 ms */
#define STINGER_RELEASE 0.03F           /* share of a fall that it follows in 10 ms: time constant 330 ms */
#define STINGER_STALE_MS 250U           /* the wheels go off if the newest output is older than this */
#define STINGER_STALE_RELEASES 32U      /* steps of the fall in 10 ms after that: the envelope is near 0 after 50 ms */

typedef struct {
    float on;                           /* level of the envelope at which the wheels go on */
    float off;                          /* level below which they go off */
    float envelope;                     /* 0 to 1 */
    float probability;                  /* the newest output */
    uint32_t output_ms;                 /* time of that output */
    uint32_t sample_ms;                 /* time of the newest sample */
    uint32_t missed;                    /* steps of 10 ms made since then, without a sample */
    bool wheels;
    bool has_output;                    /* there was an output since the start */
    bool started;                       /* there was a sample since the start */
} stinger_decision_t;

/* Start with wheels off. `on` is 0.05 to 0.95 (other values are brought into this range); `off` is half of it. */
void stinger_decision_init(stinger_decision_t *decision, float on);

/* Change the threshold; the state stays. */
void stinger_decision_set_on(stinger_decision_t *decision, float on);

/* Process the sample taken at `now_ms`; with `known` false it had no output. Return whether the wheels are on. */
bool stinger_decision_step(stinger_decision_t *decision, uint32_t now_ms, float probability, bool known);

/* Process the time up to `now_ms` without a sample: call it in the fast loop, so that wheels go off when samples stop. */
bool stinger_decision_tick(stinger_decision_t *decision, uint32_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
