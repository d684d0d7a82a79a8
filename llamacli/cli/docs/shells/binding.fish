# Replaces the command line with a command that does what it describes. Nothing runs until you press Enter.
function __llamacli_suggest
    set -l line (commandline -b | string collect)
    test -n "$line"; or return
    set -l suggestion (@ASK@ -- $line </dev/null | string collect)
    test -n "$suggestion"; and commandline -r -- $suggestion
    commandline -f repaint
end
bind @KEYS@ __llamacli_suggest
