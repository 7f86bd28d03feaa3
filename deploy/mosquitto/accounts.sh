#!/bin/sh
# Accounts of the broker and of Grafana: random passwords, kept in a volume, each readable by its user only.
set -eu

folder=${ACCOUNTS:-/accounts}
acl=${ACL:-/acl}
mosquitto_id=1883:1883 # in the image

usage() {
    cat <<TEXT
init         create missing accounts, and install the access list
add NAME     add an account for a blaster that publishes its samples; NAME is the blaster's name
remove NAME  remove an account
show NAME    print the password of an account, or of 'grafana' (user: admin)
list         list all accounts

After add, remove, or a change of the access list: docker compose kill -s HUP broker
TEXT
}

fail() {
    echo "accounts: $1" >&2
    exit 2
}

check_name() {
    case ${1:-} in
        '' | *[!A-Za-z0-9_-]*) fail "'${1:-}' is not a valid name: expected letters, digits, '-' and '_'" ;;
    esac
}

owned_by() { # FILE UID:GID
    chmod 400 "$1"
    if [ "$(id -u)" = 0 ]; then chown "$2" "$1"; fi
}

make() { # FILE UID:GID, unless it exists
    if [ ! -s "$1" ]; then
        head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$1.new"
        mv "$1.new" "$1"
    fi
    owned_by "$1" "$2"
}

# Write the file of hashed passwords, and replace the old one in one step.
publish() {
    rm -f "$folder/passwd.new"
    for file in "$folder"/broker/*; do
        case $file in *.new) continue ;; esac
        printf '%s:%s\n' "${file##*/}" "$(cat "$file")"
    done >"$folder/passwd.new"
    mosquitto_passwd -U "$folder/passwd.new"
    owned_by "$folder/passwd.new" "$mosquitto_id"
    mv -f "$folder/passwd.new" "$folder/passwd"
}

umask 077
case ${1:-help} in
    init)
        mkdir -p "$folder/broker"
        chmod 755 "$folder" "$folder/broker"
        for name in stinger page; do make "$folder/broker/$name" 10001:10001; done
        for name in viewer operator homeassistant; do make "$folder/broker/$name" 0:0; done
        make "$folder/grafana" 472:0
        cp "$acl" "$folder/acl.new"
        owned_by "$folder/acl.new" "$mosquitto_id"
        mv -f "$folder/acl.new" "$folder/acl"
        publish
        ;;
    add)
        check_name "${2:-}"
        [ -d "$folder/broker" ] || fail "no accounts exist yet: run init first"
        [ ! -e "$folder/broker/$2" ] || fail "account '$2' exists already"
        make "$folder/broker/$2" 0:0
        publish
        cat "$folder/broker/$2"
        ;;
    remove)
        check_name "${2:-}"
        [ -e "$folder/broker/$2" ] || fail "no account '$2'"
        case $2 in stinger | page | viewer | operator | homeassistant) fail "'$2' is part of the access list and cannot be removed" ;; esac
        rm -f "$folder/broker/$2"
        publish
        ;;
    show)
        check_name "${2:-}"
        if [ "$2" = grafana ]; then
            cat "$folder/grafana"
        else
            [ -e "$folder/broker/$2" ] || fail "no account '$2'"
            cat "$folder/broker/$2"
        fi
        ;;
    list) ls "$folder/broker" ;;
    *) usage ;;
esac
