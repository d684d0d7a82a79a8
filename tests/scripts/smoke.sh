#!/bin/sh
# A quick test of an installed program: smoke.sh PATH-TO-LLAMACLI
set -eu
program=$(realpath "$1")
repository=$(cd "$(dirname "$0")/../.." && pwd)

check() {
    if ! printf '%s\n' "$2" | grep -q "$3"; then
        echo "smoke: $1: expected '$3', got: $2" >&2
        exit 1
    fi
}

address=$(mktemp)
PYTHONPATH=$repository python3 -m tests.support.fake_api >"$address" &
server=$!
trap 'kill "$server"; rm -f "$address"' EXIT
tries=0
until [ -s "$address" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo "smoke: the stand-in server did not start" >&2; exit 1; }
    sleep 0.1
done
AIMLAPI_BASE_URL=$(cat "$address")
export AIMLAPI_BASE_URL

# Away from the sources, so that only what was installed is found.
cd /
check version "$("$program" --version)" '^llamacli [0-9]'
check help "$("$program" ask --help)" '^Examples:'
check ask "$(echo 'three short words' | "$program" ask 'How many words?')" 'you sent 6 words'
status=0
message=$("$program" ask -t 3 Hi 2>&1) || status=$?
check status "$status" '^2$'
check message "$message" '^llamacli: --temperature: '
echo "smoke: $program works"
