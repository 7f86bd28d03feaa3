/* From probabilities to wheels: envelope, hysteresis, and what happens when outputs stop. */
#ifndef STINGER_DECISION_H
#define STINGER_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STINGER_ATTACK 0.18F            /* part of the way up that the envelope goes in 10 ms: about 50 ms in all */
#define STINGER_RELEASE 0.03F           /* and down: about 330 ms in all */
#define STINGER_STALE_MS 250U           /* an older output counts as 0, and the wheels go off; */
#define STINGER_STALE_RELEASES 32U      /* then the envelope falls so many times in 10 ms, and is near 0 after 50 ms */

typedef struct {
    float on;                           /* the wheels go on at this level of the envelope, */
    float off;                          /* and off below this one */
    float envelope;                     /* 0 to 1 */
    float probability;                  /* the newest output */
    uint32_t output_ms;                 /* when it came */
    uint32_t sample_ms;                 /* when the newest sample came */
    uint32_t missed;                    /* steps of 10 ms without a sample that were made since then */
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
