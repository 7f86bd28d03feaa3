#include "stinger_commands.h"

#include <string.h>

#include "stinger_answers.h"
#include "stinger_atomic.h"
#include "stinger_checksum.h"
#include "stinger_slots.h"

#define STREAM_MAX_HZ 1600U
#define UPLOAD_MAX_BYTES 199999U        /* the protocol's limit; files beyond our memory are refused as `open` */

static void answer(stinger_device_t *device, uint8_t kind)
{
    device->answer = kind;
    device->answer_step = 0;
    device->answer_ms = stinger_device_now(device);
}

static void answer_text(stinger_device_t *device, const char *text)
{
    answer(device, STINGER_ANSWER_TEXT);
    device->answer_text = text;
}

static void refuse(stinger_device_t *device, const char *text)
{
    device->counts.refused++;
    answer_text(device, text);
}

static bool is_busy(const stinger_device_t *device)
{
    const stinger_port_t *port = device->port;
    return port->is_busy && port->is_busy(port->context);
}

static void begin_stream(stinger_device_t *device, const char *at)
{
    static const char scores[] = "SCORES";
    uint32_t hz;
    bool with_scores;
    if (!stinger_parse_decimal(&at, STREAM_MAX_HZ, &hz)) {
        device->counts.ignored++;
        return;
    }
    while (*at == ' ') {
        at++;
    }
    with_scores = strcmp(at, scores) == 0;
    if (*at != '\0' && !with_scores) {
        device->counts.ignored++;
        return;
    }
    device->counts.commands++;
    device->stream_hz = hz > STINGER_SAMPLE_HZ ? STINGER_SAMPLE_HZ : hz;
    device->stream_scores = with_scores || device->port->always_scores;
    device->stream_started = false;
    stinger_ring_clear(&device->ring);
    STINGER_STORE(device->streaming, hz ? 1U : 0U);
    answer(device, STINGER_ANSWER_STREAM);
}

static void begin_dump(stinger_device_t *device)
{
    const stinger_port_t *port = device->port;
    if (!port->log_bytes || !port->log_read) {
        answer_text(device, "ERROR: no log file");
    } else if (is_busy(device)) {
        answer_text(device, "ERROR: busy (firing)");
    } else if (!(device->dump_bytes = (uint32_t)port->log_bytes(port->context))) {
        answer_text(device, "ERROR: no log data");
    } else {
        device->dumped = 0;
        answer(device, STINGER_ANSWER_DUMP);
    }
}

static void begin_upload(stinger_device_t *device, stinger_slot_t slot, const char *at)
{
    uint32_t size = 0;
    uint32_t crc = 0;
    bool parsed = stinger_parse_decimal(&at, UPLOAD_MAX_BYTES, &size) && (*at == ' ' || *at == '\t') &&
                  stinger_parse_hex(&at, &crc);
    if (is_busy(device) || !stinger_inference_idle(&device->inference)) {
        refuse(device, "MLMODEL_ERR busy");
    } else if (!parsed || size == 0U) {
        refuse(device, "MLMODEL_ERR args");
    } else if (!device->port->store) {
        refuse(device, "MLMODEL_ERR fs");
    } else if (size > sizeof device->file) {
        refuse(device, "MLMODEL_ERR open");
    } else {
        device->upload_slot = slot;
        device->upload_bytes = size;
        device->upload_crc = crc;
        device->upload_ms = stinger_device_now(device);
        device->file_bytes = 0;
        answer_text(device, "MLMODEL_READY");
    }
}

static void finish_upload(stinger_device_t *device)
{
    const stinger_port_t *port = device->port;
    uint32_t size = device->upload_bytes;
    device->upload_bytes = 0;
    if (stinger_crc32(STINGER_CRC32_START, device->file, size) != device->upload_crc) {
        refuse(device, "MLMODEL_ERR crc");
    } else if (!port->store(port->context, device->upload_slot, device->file, size)) {
        refuse(device, "MLMODEL_ERR rename");
    } else {
        answer_text(device, "MLMODEL_OK");
    }
}

static void begin_load(stinger_device_t *device, stinger_slot_t slot)
{
    stinger_model_type_t type;
    size_t size = stinger_inference_idle(&device->inference) ? stinger_recall(device, slot) : 0U;
    if (size == 0U || !stinger_is_for_slot(device, size, slot, &type)) {
        refuse(device, "MLMODEL_ERR load");
        return;
    }
    stinger_inference_request_model(&device->inference, device->file, type);
    answer(device, STINGER_ANSWER_LOADED);
}

static void begin_delete(stinger_device_t *device)
{
    const stinger_port_t *port = device->port;
    if (!stinger_inference_idle(&device->inference) || (port->erase && !port->erase(port->context))) {
        refuse(device, "MLMODEL_ERR delete");
        return;
    }
    stinger_inference_request_factory(&device->inference);
    answer(device, STINGER_ANSWER_DELETED);
}

/* Return what follows `word` in `command`, or NULL if it does not begin with it. */
static const char *after(const char *command, const char *word)
{
    size_t size = strlen(word);
    return strncmp(command, word, size) == 0 ? command + size : NULL;
}

static bool is_slot(const char *suffix, stinger_slot_t *slot, const char **rest)
{
    static const char *const suffixes[3] = {"_LR", "_MLP", ""};
    size_t i;
    for (i = 0; i < 3U; i++) {
        const char *behind = after(suffix, suffixes[i]);
        if (behind && (*behind == '\0' || *behind == ' ')) {
            *slot = (stinger_slot_t)i;
            *rest = behind;
            return true;
        }
    }
    return false;
}

static void execute(stinger_device_t *device)
{
    const char *command = device->command;
    const char *rest;
    stinger_slot_t slot;
    if ((rest = after(command, "MLSTREAM ")) != NULL) {
        begin_stream(device, rest);
        return;
    }
    device->counts.commands++;
    if ((rest = after(command, "MLMODEL_PUT")) != NULL && is_slot(rest, &slot, &rest) && *rest == ' ') {
        begin_upload(device, slot, rest);
    } else if ((rest = after(command, "MLMODEL_LOAD")) != NULL && is_slot(rest, &slot, &rest) && *rest == '\0') {
        begin_load(device, slot);
    } else if (strcmp(command, "MLDUMP") == 0) {
        begin_dump(device);
    } else if (strcmp(command, "MLINFO") == 0) {
        answer(device, STINGER_ANSWER_LOG_INFO);
    } else if (strcmp(command, "MLMODEL_INFO") == 0) {
        answer(device, STINGER_ANSWER_MODEL_INFO);
    } else if (strcmp(command, "MLMODEL_DELETE") == 0) {
        begin_delete(device);
    } else {
        device->counts.commands--;
        device->counts.ignored++;
    }
}

static void command_byte(stinger_device_t *device, uint8_t byte)
{
    if (byte == '\n' || byte == '\r') {
        if (device->command_size > 0U && !device->skipping) {
            device->command[device->command_size] = '\0';
            execute(device);
        }
        device->command_size = 0;
        device->skipping = false;
    } else if (device->skipping) {
        return;
    } else if ((device->command_size == 0U && byte != 'M') || device->command_size == STINGER_COMMAND_MAX || byte == 0U) {
        device->counts.ignored++;
        device->skipping = true;
    } else {
        device->command[device->command_size++] = (char)byte;
    }
}

size_t stinger_device_receive(stinger_device_t *device, const uint8_t *data, size_t size)
{
    size_t taken = 0;
    while (taken < size && device->answer == STINGER_NO_ANSWER) {
        if (device->upload_bytes > 0U) {
            size_t missing = device->upload_bytes - device->file_bytes;
            size_t part = size - taken < missing ? size - taken : missing;
            memcpy(device->file + device->file_bytes, data + taken, part);
            device->file_bytes += (uint32_t)part;
            device->upload_ms = stinger_device_now(device);
            taken += part;
            if (part == missing) {
                finish_upload(device);
            }
        } else {
            command_byte(device, data[taken++]);
        }
    }
    return taken;
}

void stinger_check_upload_timeout(stinger_device_t *device)
{
    if (device->upload_bytes > 0U && device->answer == STINGER_NO_ANSWER &&
        stinger_device_now(device) - device->upload_ms > STINGER_UPLOAD_TIMEOUT_MS) {
        device->upload_bytes = 0;
        refuse(device, "MLMODEL_ERR timeout");
    }
}
