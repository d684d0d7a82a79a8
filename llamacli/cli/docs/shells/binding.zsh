# Replaces the command line with a command that does what it describes. Nothing runs until you press Enter.
_llamacli_suggest() {
    local suggestion
    [[ -n ${BUFFER-} ]] || return 0
    zle -I
    if suggestion=$(@ASK@ -- "$BUFFER" </dev/null); then
        BUFFER=$suggestion CURSOR=${#suggestion}
    fi
    zle reset-prompt
}
zle -N _llamacli_suggest
bindkey '@KEYS@' _llamacli_suggest
