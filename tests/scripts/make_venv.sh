#!/bin/sh
# Makes a virtual environment, or says what is missing: make_venv.sh PYTHON FOLDER
set -eu
python=$1 folder=$2

if ! command -v "$python" >/dev/null; then
    echo "make: $python not found; install Python 3.10 or newer, or name it: make PYTHON=..." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "make: $python is $("$python" -V 2>&1); 3.10 or newer is needed, for example: make PYTHON=python3.12" >&2
    exit 1
fi
if [ -x "$folder/bin/python" ] && "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi
rm -rf "$folder"
if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    exec "$python" -m venv "$folder"
fi
# Debian and Ubuntu ship Python without them.
if "$python" -m virtualenv --version >/dev/null 2>&1; then
    exec "$python" -m virtualenv -q "$folder"
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
echo "make: $python cannot create a virtual environment (venv or ensurepip is missing);" >&2
echo "make: install it, on Debian and Ubuntu with: apt-get install python$version-venv" >&2
exit 1
