#include "stinger_decision.h"

#include <string.h>

#define STEP_MS 10U
#define ON_MIN 0.05F
#define ON_MAX 0.95F
#define ENVELOPE_MIN 1e-30F             /* below this the envelope is set to 0, as denormal numbers would be slow */

static void follow(stinger_decision_t *decision)
{
    float target = decision->probability;
    float rate = target > decision->envelope ? STINGER_ATTACK : STINGER_RELEASE;
    decision->envelope += rate * (target - decision->envelope);
    if (decision->wheels) {
        decision->wheels = decision->envelope >= decision->off;
    } else {
        decision->wheels = decision->envelope >= decision->on;
    }
}

static void release(stinger_decision_t *decision, uint32_t steps)
{
    uint32_t i;
    for (; steps > 0U && decision->envelope > 0.0F; steps--) {
        for (i = 0; i < STINGER_STALE_RELEASES; i++) {
            decision->envelope -= STINGER_RELEASE * decision->envelope;
        }
        if (decision->envelope < ENVELOPE_MIN) {
            decision->envelope = 0.0F;
        }
    }
}

static bool is_stale(const stinger_decision_t *decision, uint32_t now_ms)
{
    return !decision->has_output || now_ms - decision->output_ms >= STINGER_STALE_MS;
}

/* Update the envelope for each 10 ms up to `now_ms` in which no sample came. */
static void wait(stinger_decision_t *decision, uint32_t now_ms)
{
    uint32_t passed = (now_ms - decision->sample_ms + STEP_MS / 2U) / STEP_MS;
    uint32_t missed = passed > 0U ? passed - 1U : 0U;
    while (decision->missed < missed &&
           !is_stale(decision, decision->sample_ms + (decision->missed + 1U) * STEP_MS)) {
        decision->missed++;
        follow(decision);
    }
    if (!is_stale(decision, now_ms)) {
        return;
    }
    decision->wheels = false;
    if (decision->missed < missed) {
        release(decision, missed - decision->missed);
        decision->missed = missed;
    }
}

void stinger_decision_init(stinger_decision_t *decision, float on)
{
    memset(decision, 0, sizeof *decision);
    stinger_decision_set_on(decision, on);
}

void stinger_decision_set_on(stinger_decision_t *decision, float on)
{
    decision->on = on > ON_MAX ? ON_MAX : (on >= ON_MIN ? on : ON_MIN);     /* NaN becomes the lowest */
    decision->off = decision->on / 2.0F;
}

bool stinger_decision_step(stinger_decision_t *decision, uint32_t now_ms, float probability, bool known)
{
    if (!decision->started || now_ms - decision->sample_ms > UINT32_MAX / 2U) {
        stinger_decision_init(decision, decision->on);  /* the first sample, or the clock stepped back */
    } else {
        wait(decision, now_ms);
    }
    decision->started = true;
    decision->sample_ms = now_ms;
    decision->missed = 0;
    if (known) {
        decision->probability = probability;
        decision->output_ms = now_ms;
        decision->has_output = true;
    }
    if (is_stale(decision, now_ms)) {
        decision->wheels = false;
        release(decision, 1);
    } else {
        follow(decision);
    }
    return decision->wheels;
}

bool stinger_decision_tick(stinger_decision_t *decision, uint32_t now_ms)
{
    if (decision->started && now_ms - decision->sample_ms <= UINT32_MAX / 2U) {
        wait(decision, now_ms);
    }
    return decision->wheels;
}
