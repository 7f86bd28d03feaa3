#ifndef WIFI_H
#define WIFI_H

#include "Arduino.h"

#define WL_CONNECTED 3
#define WIFI_STA 1

class WiFiClass {
public:
    void mode(int mode);
    void setAutoReconnect(bool on);
    void begin(const char *name, const char *password);
    int status();
};

class WiFiClient {
};

extern WiFiClass WiFi;

#endif
