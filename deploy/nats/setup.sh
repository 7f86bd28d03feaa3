#!/bin/sh
# Certificates, accounts and settings of a cluster of NATS servers. Details: docs/fleet.md
set -eu

folder=${NATS_FOLDER:-/nats}
hosts=${NATS_HOSTS:-nats1,nats2,nats3}
partitions=${NATS_PARTITIONS:-16}
daemon_id=${DAEMON_ID:-}
days=3650

usage() {
    cat <<TEXT
init         create what is missing: a certificate authority, the servers' certificate, accounts
add NAME     add an account for a blaster, which may publish its own samples only; NAME is the blaster's name
remove NAME  remove an account
show NAME    print the password of an account
list         list all accounts

After add or remove: docker compose kill -s HUP nats1 nats2 nats3
TEXT
}

fail() {
    echo "setup: $1" >&2
    exit 2
}

check_name() {
    case ${1:-} in
        '' | *[!A-Za-z0-9_-]*) fail "'${1:-}' is not a valid name: expected letters, digits, '-' and '_'" ;;
    esac
}

password() { # NAME: make a password unless there is one, and print it
    if [ ! -s "$folder/passwords/$1" ]; then
        openssl rand -hex 24 >"$folder/passwords/$1.new"
        mv "$folder/passwords/$1.new" "$folder/passwords/$1"
    fi
    cat "$folder/passwords/$1"
}

certificates() {
    [ -s "$folder/server.crt" ] && return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj "/CN=stinger NATS" \
        -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
    names="DNS:localhost,IP:127.0.0.1,DNS:nats"
    for host in $(echo "$hosts" | tr ',' ' '); do names="$names,DNS:$host"; done
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=nats" -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names" >"$folder/server.ext"
    openssl x509 -req -in "$folder/server.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial \
        -days "$days" -extfile "$folder/server.ext" -out "$folder/server.crt" 2>/dev/null
    rm -f "$folder/server.csr" "$folder/server.ext"
}

# Write the settings with all accounts, and replace the old ones in one step.
publish() {
    tls="cert_file: \"$folder/server.crt\", key_file: \"$folder/server.key\", ca_file: \"$folder/ca.crt\""
    {
        echo "# Written by setup.sh. It holds passwords."
        echo "tls { $tls }"
        echo "mqtt { listen: \"0.0.0.0:8883\", tls { $tls } }"
        echo "cluster { name: hall, listen: 0.0.0.0:6222, routes: \$NATS_ROUTES, tls { $tls, verify: true } }"
        echo "accounts {"
        echo "  SYS { users: [ { user: system, password: \"$(password system)\" } ] }"
        echo "  HALL {"
        echo "    jetstream: enabled"
        echo "    mappings: { \"stinger.*.samples\": \"hall.{{partition($partitions,1)}}.stinger.{{wildcard(1)}}.samples\" }"
        echo "    users: ["
        echo "      { user: stinger, password: \"$(password stinger)\" }"
        for file in "$folder"/blasters/*; do
            name=${file##*/}
            [ "$name" = '*' ] && continue
            echo "      { user: \"$name\", password: \"$(cat "$file")\","
            # Over MQTT, the server checks the subject that the mapping results in.
            own="\"stinger.$name.samples\", \"hall.*.stinger.$name.samples\""
            echo "        permissions: { publish: { allow: [$own] }, subscribe: { deny: [\">\"] } } }"
        done
        echo "    ]"
        echo "  }"
        echo "}"
        echo "system_account: SYS"
    } >"$folder/settings.conf.new"
    mv -f "$folder/settings.conf.new" "$folder/settings.conf"
    if [ -n "$daemon_id" ]; then
        cp "$folder/passwords/stinger" "$folder/daemon/password.new"
        cp "$folder/ca.crt" "$folder/daemon/ca.crt"
        mv "$folder/daemon/password.new" "$folder/daemon/password"
        chmod 755 "$folder"
        chown -R "$daemon_id" "$folder/daemon"
    fi
}

umask 077
case ${1:-help} in
    init)
        mkdir -p "$folder/passwords" "$folder/blasters" "$folder/daemon"
        certificates
        publish
        ;;
    add)
        check_name "${2:-}"
        [ "$2" != stinger ] && [ "$2" != system ] || fail "'$2' is the name of another account"
        [ ! -e "$folder/blasters/$2" ] || fail "there is an account '$2' already"
        openssl rand -hex 24 >"$folder/blasters/$2"
        publish
        cat "$folder/blasters/$2"
        ;;
    remove)
        check_name "${2:-}"
        rm "$folder/blasters/$2" 2>/dev/null || fail "there is no account '$2'"
        publish
        ;;
    show)
        check_name "${2:-}"
        cat "$folder/blasters/$2" 2>/dev/null || cat "$folder/passwords/$2" 2>/dev/null || fail "there is no account '$2'"
        ;;
    list) (cd "$folder" && ls passwords blasters) ;;
    *) usage ;;
esac
