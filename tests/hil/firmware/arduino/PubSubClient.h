#ifndef PUB_SUB_CLIENT_H
#define PUB_SUB_CLIENT_H

#include "WiFi.h"

class PubSubClient {
public:
    explicit PubSubClient(WiFiClient &network);
    PubSubClient &setServer(const char *host, uint16_t port);
    bool setBufferSize(uint16_t size);
    PubSubClient &setSocketTimeout(uint16_t seconds);
    bool connect(const char *id);
    bool connected();
    bool publish(const char *topic, const uint8_t *payload, unsigned int size, bool retained);
    bool loop();
};

#endif
