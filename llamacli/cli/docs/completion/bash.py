"""The completion script for bash 3.2 and later."""

from collections.abc import Iterator, Sequence

from llamacli.cli.docs.completion.common import (
    HEAD,
    LISTINGS,
    completion_kind,
    flag_names,
    folder_expression,
    quoted,
    value,
)
from llamacli.cli.spec import PROGRAM_FLAGS, CommandSpec, FlagSpec

ENGINE = r"""
# Sets `words` to the words before the cursor, joined again where COMP_WORDBREAKS split them.
_llamacli_words() {
    local line=${COMP_LINE:0:COMP_POINT} i part word=
    words=()
    for ((i = COMP_CWORD; i > 0; i--)); do
        part=${COMP_WORDS[i]}
        # Drop the part of the current word after the cursor.
        while [[ $part && $line != *"$part" ]]; do part=${part%?}; done
        line=${line%"$part"} word=$part$word
        if [[ $line == *[[:space:]] ]]; then
            words=("$word" ${words[@]+"${words[@]}"}) word=
            line=${line%"${line##*[![:space:]]}"}
        fi
    done
}

# Sets `cur` to the word $1 without quoting, and `quote` to its open quote, if any.
_llamacli_unquote() {
    local raw=$1 i char
    cur='' quote=''
    for ((i = 0; i < ${#raw}; i++)); do
        char=${raw:i:1}
        if [[ $quote == "'" ]]; then
            if [[ $char == "'" ]]; then quote=; else cur+=$char; fi
        elif [[ $char == \\ ]]; then
            i=$((i + 1))
            [[ $quote && ${raw:i:1} != [\"\\\$\`] ]] && cur+=\\
            cur+=${raw:i:1}
        elif [[ $char == '"' ]]; then
            if [[ $quote ]]; then quote=; else quote=$char; fi
        elif [[ $char == "'" && ! $quote ]]; then
            quote=$char
        else
            cur+=$char
        fi
    done
}

# Adds a candidate, quoted as the command line needs it; $1 is already before it.
_llamacli_add() {
    local full=$1$2
    [[ $2 == "$text"* && $full != *[[:cntrl:]]* ]] || return
    if [[ $cur == *"$typed" ]]; then
        # Only the part after the last word break is replaced.
        full=${full#"${cur%"$typed"}"}
        if [[ $quote == "'" ]]; then
            [[ $full != *"'"* ]] || return
        elif [[ $quote ]]; then
            [[ $full != *[\"\\\$\`!]* ]] || return
        elif [[ $full == *[!A-Za-z0-9._/:@+,=-]* ]]; then
            printf -v full %q "$full"
        fi
    else
        printf -v full %q "$full"
        [[ $full == "${raw%"$typed"}"* ]] || return
        full=${full#"${raw%"$typed"}"}
    fi
    COMPREPLY+=("$full")
}

# Adds the files that begin with $text; $1 is before them. If nothing is, bash completes them itself.
_llamacli_files() {
    local path
    if [[ ! $1 || $1 == "${cur%"$typed"}" ]] && compopt -o default 2>/dev/null; then return; fi
    for path in "$text"*; do
        if [[ -d $path ]]; then
            _llamacli_add "$1" "$path/"
        elif [[ -e $path || -L $path ]]; then
            _llamacli_add "$1" "$path"
        fi
    done
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace 2>/dev/null; fi
}

# Adds the names of the files in $2 that end with $3; $1 is before them. Hidden files are left out.
_llamacli_names() {
    local LC_ALL=C IFS=/ odd='[^A-Za-z0-9._/-]' found names name
    # A subshell in the folder is the fastest way to list thousands of names.
    found=$(
        builtin cd -- "$2" 2>/dev/null || exit
        names=("$text"*"$3")
        [[ ! -e ${names[0]} ]] || printf %s "${names[*]/%"$3"/}"
    )
    if [[ ! $quote && ! $1 && $typed == "$cur" && ! $found =~ $odd ]]; then
        # No name needs quoting.
        # shellcheck disable=SC2206
        COMPREPLY=($found)
        return
    fi
    IFS=/ read -r -d '' -a names <<<"$found/"
    for name in "${names[@]}"; do _llamacli_add "$1" "$name"; done
}

# Adds the candidates for a value: $1 is before it, $2 is its kind, the rest are fixed words.
_llamacli_value() {
    local lead=$1 sort=$2 word
    shift 2
    case $sort in
    @)
        if [[ $text == @* ]]; then
            text=${text#@}
            _llamacli_files "$lead@"
            return
        fi
        ;;
    file) _llamacli_files "$lead" ;;
    field)
        if [[ $text == *=@* ]]; then
            lead=$lead${text%%=@*}=@ text=${text#*=@}
            _llamacli_files "$lead"
        fi
        ;;
    *) _llamacli_listed "$sort" "$lead" ;;
    esac
    for word in "$@"; do _llamacli_add "$lead" "$word"; done
}

# Parses the flags in the word $1: adds them to `given`, sets `value` to what the last one takes, and `known` to the
# offset of that value in the word, 0 if it is the next word.
_llamacli_follow() {
    local word=$1 flag i
    value='' known=0
    if [[ $word == --* ]]; then
        _llamacli_flag "${word%%=*}"
        given+="$forms "
        flag=${word%%=*}
        if [[ $flag != "$word" ]]; then known=$((${#flag} + 1)); fi
        return
    fi
    for ((i = 1; i < ${#word}; i++)); do
        _llamacli_flag "-${word:i:1}"
        given+="$forms "
        if [[ $value ]]; then
            ((i + 1 == ${#word})) || known=$((i + 1))
            return
        fi
    done
}

# Returns 0 if a word begins with a redirection.
_llamacli_redirects() {
    case $1 in
    [\<\>]* | [0-9\&][\<\>]*) return 0 ;;
    esac
    return 1
}

_llamacli() {
    local words raw typed=$2 cur quote text command='' place=1 given=' ' value='' expected='' ended='' skip=''
    local forms again known word IFS=$' \t\n'
    COMPREPLY=()
    compopt +o default 2>/dev/null
    _llamacli_words
    raw=${words[${#words[@]} - 1]}
    words=("${words[@]:0:${#words[@]} - 1}")
    for word in ${words[@]+"${words[@]}"}; do
        if [[ $skip ]]; then
            skip=
        elif _llamacli_redirects "$word"; then
            # Its file may be the next word.
            [[ ${word##*[<>&|]} ]] || skip=1
        elif [[ $expected ]]; then
            expected=
        elif [[ ! $ended && $word == -- ]]; then
            ended=1
        elif [[ ! $ended && $word == -?* ]]; then
            _llamacli_follow "$word"
            ((known)) || expected=$value
        elif [[ ! $command ]]; then
            command=$word
        else
            place=$((place + 1))
        fi
    done
    if [[ $skip ]] || _llamacli_redirects "$raw"; then
        compopt -o default 2>/dev/null
        return
    fi
    # Do not try to complete a long text.
    ((${#raw} < 4096)) || return
    _llamacli_unquote "$raw"
    text=$cur
    if [[ $expected ]]; then
        _llamacli_value '' $expected
        return
    fi
    if [[ ! $ended && $cur == -* ]]; then
        word=$given
        [[ $cur == - || $cur == -- ]] || _llamacli_follow "$cur"
        if [[ $value ]] && ((known)); then
            text=${cur:known}
            _llamacli_value "${cur:0:known}" $value
            return
        fi
        given=$word
        _llamacli_flags
    elif [[ ! $command ]]; then
        _llamacli_value '' text COMMANDS
    else
        _llamacli_operand
    fi
}

complete -o default -F _llamacli llamacli
"""


def script(commands: Sequence[CommandSpec]) -> str:
    """Returns the script."""
    names = " ".join(command.name for command in commands)
    parts = [
        f"# bash completion for llamacli. {HEAD}",
        "# shellcheck shell=bash disable=SC2034,SC2086,SC2154",
        "",
        *_flag(commands),
        "",
        *_flags(commands),
        "",
        *_operand(commands),
        "",
        *_listed(),
    ]
    return "\n".join(parts) + "\n" + ENGINE.replace("COMMANDS", names)


def _flag(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# Sets what is known of the flag $1: its `forms`, what `value` it takes, and whether it comes `again`."
    yield "_llamacli_flag() {"
    yield "    forms='' value='' again=''"
    yield "    case $command in"
    yield "    '')"
    yield from _cases(PROGRAM_FLAGS)
    for command in commands:
        yield f"    {command.name})"
        yield from _cases(command.flags)
    yield "    esac"
    yield "}"


def _cases(entries: Sequence[FlagSpec]) -> Iterator[str]:
    yield "        case $1 in"
    for entry in entries:
        sets = [f"forms={quoted(' '.join(entry.names))}"]
        sets += [f"value={quoted(value(entry))}"] if entry.takes_value else []
        sets += ["again=1"] if entry.flag.multiple else []
        yield f"        {' | '.join(entry.names)}) {' '.join(sets)} ;;"
    yield "        esac"
    yield "        ;;"


def _flags(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# Adds the flags that are not used yet or may be repeated."
    yield "_llamacli_flags() {"
    yield "    local all='' flag"
    yield "    case $command in"
    yield f"    '') all={quoted(' '.join(form for entry in PROGRAM_FLAGS for form in entry.names))} ;;"
    for command in commands:
        yield f"    {command.name}) all={quoted(' '.join(flag_names(command)))} ;;"
    yield "    esac"
    yield "    for flag in $all; do"
    yield '        if [[ $flag != "$text"* ]]; then continue; fi'
    yield '        if [[ $given == *" $flag "* ]]; then'
    yield '            _llamacli_flag "$flag"'
    yield "            [[ $again ]] || continue"
    yield "        fi"
    yield "        _llamacli_add '' \"$flag\""
    yield "    done"
    yield "}"


def _operand(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# Adds the candidates for the operand at this place."
    yield "_llamacli_operand() {"
    yield "    case $command:$place in"
    for command in commands:
        for number, place in enumerate(command.operands, 1):
            what = " ".join([completion_kind(place.type), *place.type.values])
            yield f"    {command.name}:{'*' if place.multiple else number}) _llamacli_value '' {what} ;;"
    yield "    esac"
    yield "}"


def _listed() -> Iterator[str]:
    yield "# Adds the names of one kind: files of a folder, or lines of a file. $2 is before them."
    yield "_llamacli_listed() {"
    yield "    local folder line"
    yield "    case $1 in"
    for name, listing in LISTINGS.items():
        yield f"    {name})"
        yield f"        folder=${{{listing.folder.variable}-}}"
        yield f'        [[ $folder == /* ]] || folder="{folder_expression(listing.folder)}"'
        path = f'"$folder/llamacli/{listing.name}"'
        if listing.suffix:
            yield f'        _llamacli_names "$2" {path} {listing.suffix}'
        else:
            yield f"        [[ -r {path[1:-1]} && -f {path[1:-1]} ]] || return"
            yield "        while IFS= read -r line || [[ $line ]]; do"
            yield '            _llamacli_add "$2" "$line"'
            yield f"        done <{path}"
        yield "        ;;"
    yield "    esac"
    yield "}"
