// An ESP32 that publishes its motion sensor over Wi-Fi, for a daemon at the same broker with the source mqtt:.
//
// Wiring: BMI270 on I2C (SDA 21, SCL 22, 3V3, GND); the trigger switch between GPIO 27 and GND. Needs the libraries
// "PubSubClient" and "SparkFun BMI270 Arduino Library". Never run on a board by its authors; compiled against a stand-in
// for the Arduino API.
#include <PubSubClient.h>
#include <SparkFun_BMI270_Arduino_Library.h>
#include <WiFi.h>
#include <Wire.h>

#include <stinger.h>

const char *WIFI_NAME = "your network";
const char *WIFI_PASSWORD = "its password";
const char *BROKER = "192.0.2.1";
const uint16_t BROKER_PORT = 1883;
const char *DEVICE = "blaster1";                // 1 to 64 letters, digits, - and _
const char *TOPIC = "stinger/blaster1/samples";

const int TRIGGER_PIN = 27;
const int QUEUED_BLOCKS = 50;                   // 10 s of samples while the network is away
const uint32_t RETRY_MS = 2000;

static BMI270 sensor;
static WiFiClient network;
static PubSubClient mqtt(network);
static stinger_block_t block;
static uint8_t queued[QUEUED_BLOCKS][STINGER_BLOCK_BYTES];
static int oldest = 0;
static int waiting = 0;
static uint32_t droppedBlocks = 0;

static int16_t lsb(float value, float scale)
{
    float scaled = value * scale;
    return (int16_t)(scaled > 32767.0f ? 32767.0f : scaled < -32768.0f ? -32768.0f : scaled);
}

static void takeSample()
{
    stinger_sample_t sample;
    if (sensor.getSensorData() != BMI2_OK) {
        return;
    }
    sample.timestamp_ms = millis();
    sample.axes[0] = lsb(sensor.data.accelX, 2048.0f);      // g
    sample.axes[1] = lsb(sensor.data.accelY, 2048.0f);
    sample.axes[2] = lsb(sensor.data.accelZ, 2048.0f);
    sample.axes[3] = lsb(sensor.data.gyroX, 16.384f);       // deg/s
    sample.axes[4] = lsb(sensor.data.gyroY, 16.384f);
    sample.axes[5] = lsb(sensor.data.gyroZ, 16.384f);
    sample.trigger = digitalRead(TRIGGER_PIN) == LOW;
    if (!stinger_block_add(&block, &sample)) {
        return;
    }
    if (waiting == QUEUED_BLOCKS) {             // full: drop the oldest block; its counter shows the host what is missing
        oldest = (oldest + 1) % QUEUED_BLOCKS;
        waiting--;
        droppedBlocks++;
    }
    memcpy(queued[(oldest + waiting) % QUEUED_BLOCKS], block.message, STINGER_BLOCK_BYTES);
    waiting++;
    stinger_block_next(&block);
}

// Connect in the background as far as the library allows: each call tries at most once every RETRY_MS.
static bool connected()
{
    static uint32_t triedAt = 0;
    static bool tried = false;
    if (mqtt.connected()) {
        return true;
    }
    if (WiFi.status() != WL_CONNECTED || (tried && millis() - triedAt < RETRY_MS)) {
        return false;
    }
    tried = true;
    triedAt = millis();
    return mqtt.connect(DEVICE);
}

static void publishOne()
{
    if (waiting > 0 && mqtt.publish(TOPIC, queued[oldest], STINGER_BLOCK_BYTES, false)) {
        oldest = (oldest + 1) % QUEUED_BLOCKS;
        waiting--;
    }
}

void setup()
{
    Serial.begin(115200);
    pinMode(TRIGGER_PIN, INPUT_PULLUP);
    Wire.begin();
    while (sensor.beginI2C(BMI2_I2C_PRIM_ADDR) != BMI2_OK) {
        Serial.println("no BMI270 at this address: check the wiring");
        delay(1000);
    }
    stinger_block_init(&block);
    WiFi.mode(WIFI_STA);
    WiFi.setAutoReconnect(true);
    WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
    mqtt.setServer(BROKER, BROKER_PORT);
    mqtt.setBufferSize(STINGER_BLOCK_BYTES + 128);
    mqtt.setSocketTimeout(1);
}

void loop()
{
    static uint32_t due = millis();
    if ((int32_t)(millis() - due) >= 0) {
        due += STINGER_STEP_MS;
        takeSample();
    }
    if (connected()) {
        mqtt.loop();
        publishOne();
    }
}
