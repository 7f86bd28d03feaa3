#include "stinger_answers.h"

#include "stinger_atomic.h"
#include "stinger_slots.h"

static void end_line(stinger_line_t *line)
{
    stinger_line_add(line, "\r\n");
}

static void add_key(stinger_line_t *line, const char *key)
{
    stinger_line_add(line, "[ml] ");
    stinger_line_add(line, key);
}

/* Write line `step` of the answer to MLMODEL_INFO; return whether it was the last. */
static bool model_info(stinger_device_t *device, uint8_t step, stinger_line_t *line)
{
    static const char *const keys[9] = {
        "model_source=", "user_model_present=", "user_has_lr=", "user_has_mlp=", "cached_age_ms=",
        "lr_intercept=", "lr_coef[0]=", "mlp_b3=", "mlp_w1[0]=",
    };
    const stinger_port_t *port = device->port;
    const stinger_inference_t *inference = &device->inference;
    bool user = inference->serving == STINGER_MODEL_LR ? inference->user_lr : inference->user_mlp;
    bool stored = false;
    size_t i;
    add_key(line, keys[step]);
    switch (step) {
    case 0:
        stinger_line_add(line, user ? "user" : "factory");
        break;
    case 1:
        for (i = 0; i < 3U && port->recall; i++) {
            stored = stored || port->recall(port->context, stinger_all_slots[i], device->file, 0) > 0U;
        }
        stinger_line_add(line, stored ? "1" : "0");
        break;
    case 2:
        stinger_line_add(line, inference->user_lr ? "1" : "0");
        break;
    case 3:
        stinger_line_add(line, inference->user_mlp ? "1" : "0");
        break;
    case 4:
        stinger_line_add_u32(line, STINGER_LOAD(inference->outputs) ? stinger_device_now(device) - STINGER_LOAD(inference->output_ms)
                                                                   : UINT32_MAX);
        break;
    case 5:
        stinger_line_add_float(line, inference->lr.intercept);
        break;
    case 6:
        stinger_line_add_float(line, inference->lr.coef[0]);
        break;
    case 7:
        stinger_line_add_float(line, inference->mlp.b3);
        break;
    default:
        stinger_line_add_float(line, inference->mlp.w1[0][0]);
        break;
    }
    end_line(line);
    return step == 8U;
}

static void log_info(const stinger_device_t *device, stinger_line_t *line)
{
    const stinger_port_t *port = device->port;
    uint32_t samples = port->log_bytes ? (uint32_t)port->log_bytes(port->context) / STINGER_SAMPLE_BYTES : 0U;
    add_key(line, "samples_written=");
    stinger_line_add_u32(line, samples);
    stinger_line_add(line, " (~");
    stinger_line_add_u32(line, samples / STINGER_SAMPLE_HZ);
    stinger_line_add(line, ".");
    stinger_line_add_u32(line, samples % STINGER_SAMPLE_HZ / 10U);
    stinger_line_add(line, "s)");
    end_line(line);
}

/* Write the next part of the log, its header or its end mark; return whether it was the last. */
static bool dump(stinger_device_t *device, stinger_line_t *line)
{
    const stinger_port_t *port = device->port;
    uint32_t rest = device->dump_bytes - device->dumped;
    if (device->answer_step == 0U) {
        device->answer_step = 1;
        stinger_line_add(line, "MLDUMP1 ");
        stinger_line_add_u32(line, device->dump_bytes);
        stinger_line_add(line, "\n");
        return false;
    }
    if (rest == 0U) {
        stinger_line_add(line, "\nMLDUMP_DONE\r\n");
        return true;
    }
    line->size = rest < STINGER_LINE_MAX ? rest : STINGER_LINE_MAX;
    port->log_read(port->context, device->dumped, (uint8_t *)line->text, line->size);
    device->dumped += (uint32_t)line->size;
    return false;
}

/* Write the answer to a load or delete once the sampling side has carried it out; return whether it is written. */
static bool when_taken_over(stinger_device_t *device, const char *done, const char *failed, stinger_line_t *line)
{
    bool idle = stinger_inference_idle(&device->inference);
    if (!idle && stinger_device_now(device) - device->answer_ms < STINGER_LOAD_TIMEOUT_MS) {
        return false;
    }
    if (!idle) {
        device->counts.refused++;       /* no sample came in a second: the sensor is silent */
    }
    add_key(line, idle ? done : failed);
    end_line(line);
    return true;
}

void stinger_write_answer(stinger_device_t *device, stinger_line_t *line)
{
    bool last = true;
    switch (device->answer) {
    case STINGER_ANSWER_TEXT:
        add_key(line, device->answer_text);
        end_line(line);
        break;
    case STINGER_ANSWER_LOG_INFO:
        log_info(device, line);
        break;
    case STINGER_ANSWER_MODEL_INFO:
        last = model_info(device, device->answer_step++, line);
        break;
    case STINGER_ANSWER_STREAM:
        stinger_line_add(line, device->stream_hz ? "MLSTREAM1 " : "MLSTREAM_DONE");
        if (device->stream_hz) {
            stinger_line_add_u32(line, device->stream_hz);
        }
        stinger_line_add(line, "\n");
        break;
    case STINGER_ANSWER_DUMP:
        last = dump(device, line);
        break;
    case STINGER_ANSWER_LOADED:
        last = when_taken_over(device, "MLMODEL_LOADED", "MLMODEL_ERR load", line);
        break;
    default:
        last = when_taken_over(device, "MLMODEL_DELETED", "MLMODEL_ERR delete", line);
        break;
    }
    if (last) {
        device->answer = STINGER_NO_ANSWER;
    }
}
