#!/bin/sh
# Installs program, completions and man page, or removes them: install.sh PYTHON DESTDIR PREFIX; --remove for PYTHON
#
# The program and its dependencies go into PREFIX/lib/llamacli, separate from other packages, with a launcher in
# PREFIX/bin. DESTDIR is put before every path that is written, but is in no file.
set -eu
python=$1 destdir=${2%/} prefix=${3%/}
mark='Made by make install of llamacli.'

fail() {
    echo "make: $1" >&2
    exit 1
}

case $prefix in
/*) ;;
*) fail "PREFIX=$prefix is not absolute" ;;
esac
shares='bash-completion/completions/llamacli zsh/site-functions/_llamacli fish/vendor_completions.d/llamacli.fish
    man/man1/llamacli.1'

# Everything is below DESTDIR: the program, and a list of the folders that were created.
place() {
    root=$destdir$prefix
    lib=$root/lib/llamacli
    folders=$lib/folders
}

# Makes a folder below DESTDIR, and lists the folders that it creates.
make_folder() {
    [ -d "$destdir$1" ] && return
    make_folder "$(dirname "$1")"
    mkdir "$destdir$1"
    made="$made$1
"
}

remove() {
    if [ ! -f "$folders" ]; then
        echo "make: nothing in $root was installed by make install" >&2
        return
    fi
    made=$(sort -r "$folders")
    rm -rf "${lib:?}"
    for share in $shares; do rm -f "$root/share/$share"; done
    if grep -qs "$mark" "$root/bin/llamacli"; then rm -f "$root/bin/llamacli"; fi
    # Folders that contain other files stay.
    printf '%s\n' "$made" | while IFS= read -r folder; do rmdir "$destdir$folder" 2>/dev/null || :; done
}

if [ "$python" = --remove ]; then
    place
    remove
    exit
fi

umask 022
if [ -n "$destdir" ]; then mkdir -p "$destdir" && destdir=$(cd "$destdir" && pwd); fi
place
if [ -e "$lib" ] && [ ! -f "$folders" ]; then fail "$lib already exists, and was not installed by make install"; fi
if [ -e "$root/bin/llamacli" ] && ! grep -qs "$mark" "$root/bin/llamacli"; then
    fail "$root/bin/llamacli already exists, and was not installed by make install"
fi
base=$("$python" -c 'import sys; print(sys._base_executable)')

made=
make_folder "$prefix/bin"
make_folder "$prefix/lib/llamacli"
for share in $shares; do make_folder "$prefix/share/$(dirname "$share")"; done
# This comes first, so that an interrupted installation can be removed.
printf %s "$made" >>"$folders"

find "$lib" -mindepth 1 -maxdepth 1 ! -name folders -exec rm -rf {} +
"$python" -m pip install -q --disable-pip-version-check --no-compile --no-warn-script-location --target "$lib" .
# These are for a separate environment, or name the folder of the sources.
rm -rf "${lib:?}/bin" "${lib:?}/share" "$lib"/*.dist-info/direct_url.json
"$base" -m compileall -q -s "$destdir" --invalidation-mode unchecked-hash "$lib"

cat >"$root/bin/llamacli" <<END
#!$base -IS
# $mark
# Without site, which takes a third of Python's start; and Ctrl-C ends it silently from here on.
import _signal

if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os
import sys

prefix = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(prefix, "lib", "llamacli"))

from llamacli.__main__ import program

program()
END
chmod 755 "$root/bin/llamacli"
for share in $shares; do
    case $share in
    bash*) file=llamacli.bash ;;
    man*) file=llamacli.1 ;;
    *) file=${share##*/} ;;
    esac
    cp "completions/$file" "$root/share/$share"
    chmod 644 "$root/share/$share"
done
echo "installed $prefix/bin/llamacli"
