#!/bin/sh
# The demonstration of `make demo`: a real file piped through `llamacli ask`.
set -eu
file=README.md

if llamacli config show -q | grep -q "^key$(printf '\t\t')none$"; then
    echo "No key is set (AIMLAPI_API_KEY), so a stand-in server on this machine answers, not a model." >&2
    address=$(mktemp)
    python -m tests.support.fake_api >"$address" &
    server=$!
    trap 'kill "$server"; rm -f "$address"' EXIT
    tries=0
    until [ -s "$address" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            echo "the stand-in server did not start" >&2
            exit 1
        fi
        sleep 0.1
    done
    AIMLAPI_BASE_URL=$(cat "$address")
    export AIMLAPI_BASE_URL
fi
echo "\$ llamacli ask -u 'Summarize this file in two sentences:' <$file" >&2
llamacli ask -u 'Summarize this file in two sentences:' <"$file"
