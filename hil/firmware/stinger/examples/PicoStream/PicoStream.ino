// A Raspberry Pi Pico that streams its motion sensor and predicts shots by itself, over USB.
//
// Wiring: MPU-6050 on I2C0 (SDA GP4, SCL GP5, 3V3, GND); the trigger switch between GP15 and GND.
// Core 0 talks to the host, core 1 reads the sensor: neither waits for the other. Needs Earle Philhower's core "Raspberry
// Pi Pico/RP2040". Never run on a board by its authors; compiled against a stand-in for the Arduino API.
#include <Wire.h>

#include <stinger.h>

const int TRIGGER_PIN = 15;
const uint8_t MPU6050 = 0x68;
const float THRESHOLD = 0.5f;

static stinger_device_t device;
static stinger_port_t port;
static uint8_t files[3][STINGER_MLP_BYTES];     // uploaded models, until power off
static size_t fileBytes[3];
static volatile bool started = false;

static size_t writeBytes(void *, const uint8_t *data, size_t size)
{
    int room = Serial.availableForWrite();
    size_t part = room > 0 ? (size_t)room : 0;
    return Serial.write(data, part < size ? part : size);
}

static uint32_t nowMs(void *)
{
    return millis();
}

static void writeRegister(uint8_t address, uint8_t value)
{
    Wire.beginTransmission(MPU6050);
    Wire.write(address);
    Wire.write(value);
    Wire.endTransmission();
}

static int16_t readWord()
{
    int high = Wire.read();
    int low = Wire.read();
    return (int16_t)((high << 8) | low);
}

static bool readSample(void *, int16_t axes[STINGER_CHANNELS], uint8_t *trigger)
{
    Wire.beginTransmission(MPU6050);
    Wire.write((uint8_t)0x3B);                  // ACCEL_XOUT_H: six bytes of acceleration, two of temperature, six of gyroscope
    if (Wire.endTransmission(false) != 0 || Wire.requestFrom(MPU6050, (uint8_t)14) != 14) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        axes[i] = readWord();
    }
    readWord();
    for (int i = 3; i < 6; i++) {
        axes[i] = readWord();
    }
    *trigger = digitalRead(TRIGGER_PIN) == LOW;
    return true;
}

static bool storeFile(void *, stinger_slot_t slot, const uint8_t *file, size_t size)
{
    memcpy(files[slot], file, size);
    fileBytes[slot] = size;
    return true;
}

static size_t recallFile(void *, stinger_slot_t slot, uint8_t *file, size_t capacity)
{
    size_t size = fileBytes[slot];
    if (capacity > 0) {
        memcpy(file, files[slot], size < capacity ? size : capacity);
    }
    return size;
}

static bool eraseFiles(void *)
{
    memset(fileBytes, 0, sizeof fileBytes);
    return true;
}

void setup()
{
    Serial.begin(115200);
    port.write = writeBytes;
    port.now_ms = nowMs;
    port.read_sample = readSample;
    port.store = storeFile;
    port.recall = recallFile;
    port.erase = eraseFiles;
    stinger_device_init(&device, &port, THRESHOLD);
    started = true;
}

void loop()
{
    static bool connected = false;
    if (connected && !Serial) {
        stinger_device_disconnected(&device);
    }
    connected = Serial ? true : false;
    while (Serial.available() > 0) {
        uint8_t byte = (uint8_t)Serial.peek();
        if (stinger_device_receive(&device, &byte, 1) == 0) {
            break;                              // an answer waits to be sent first
        }
        Serial.read();
    }
    stinger_device_poll(&device);
}

void setup1()
{
    pinMode(TRIGGER_PIN, INPUT_PULLUP);
    pinMode(LED_BUILTIN, OUTPUT);
    Wire.begin();
    Wire.setClock(400000);
    writeRegister(0x6B, 0x00);                  // PWR_MGMT_1: wake up
    writeRegister(0x1B, 0x18);                  // GYRO_CONFIG: +-2000 deg/s
    writeRegister(0x1C, 0x18);                  // ACCEL_CONFIG: +-16 g
    writeRegister(0x1A, 0x03);                  // CONFIG: low-pass at 44 Hz
    while (!started) {
        delay(1);
    }
}

void loop1()
{
    static uint32_t due = millis();
    if ((int32_t)(millis() - due) >= 0) {
        due += STINGER_STEP_MS;
        stinger_device_sample(&device);
    }
    // A blaster switches its motors here.
    digitalWrite(LED_BUILTIN, stinger_device_wheels(&device) ? HIGH : LOW);
}
