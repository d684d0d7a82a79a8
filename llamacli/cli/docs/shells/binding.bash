# Replaces the command line with a command that does what it describes. Nothing runs until you press Enter.
_llamacli_suggest() {
    local suggestion
    [[ ${READLINE_LINE-} ]] || return 0
    suggestion=$(@ASK@ -- "$READLINE_LINE" </dev/null) || return 0
    READLINE_LINE=$suggestion READLINE_POINT=${#suggestion}
}
bind -x '"@KEYS@": _llamacli_suggest'
