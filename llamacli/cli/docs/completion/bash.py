"""The completion for bash, from 3.2 on: a function that reads the command line, and the tables that it looks into."""

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
# Sets `words` to the words before the cursor, put together again where COMP_WORDBREAKS has cut them.
_llamacli_words() {
    local line=${COMP_LINE:0:COMP_POINT} i part word=
    words=()
    for ((i = COMP_CWORD; i > 0; i--)); do
        part=${COMP_WORDS[i]}
        # Of the word that the cursor is in only what stands before it counts.
        while [[ $part && $line != *"$part" ]]; do part=${part%?}; done
        line=${line%"$part"} word=$part$word
        if [[ $line == *[[:space:]] ]]; then
            words=("$word" ${words[@]+"${words[@]}"}) word=
            line=${line%"${line##*[![:space:]]}"}
        fi
    done
}

# Sets `cur` to what the word $1 stands for, and `quote` to the quote that it leaves open.
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

# Adds a word to the candidates, quoted as the command line needs it; $1 stands before it already.
_llamacli_add() {
    local full=$1$2
    [[ $2 == "$text"* && $full != *[[:cntrl:]]* ]] || return
    if [[ $cur == *"$typed" ]]; then
        # Only what follows the last break is replaced.
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

# Adds the files that begin with $text; $1 stands before them. Where nothing does, bash knows best.
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

# Adds the names of $2's files that end with $3; $1 stands before them. Those that begin with a dot are none.
_llamacli_names() {
    local LC_ALL=C IFS=/ odd='[^A-Za-z0-9._/-]' found names name
    # Of thousands of names nothing is faster to make than those of the folder itself.
    found=$(
        builtin cd -- "$2" 2>/dev/null || exit
        names=("$text"*"$3")
        [[ ! -e ${names[0]} ]] || printf %s "${names[*]/%"$3"/}"
    )
    if [[ ! $quote && ! $1 && $typed == "$cur" && ! $found =~ $odd ]]; then
        # Nothing in it means anything to the shell.
        # shellcheck disable=SC2206
        COMPREPLY=($found)
        return
    fi
    IFS=/ read -r -d '' -a names <<<"$found/"
    for name in "${names[@]}"; do _llamacli_add "$1" "$name"; done
}

# Adds what a value may be: $1 stands before it, $2 is its sort, what follows are fixed words.
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

# Follows the flags in the word $1: notes them as given, sets `value` to what the last one takes, and `known` to the
# place where that begins in the word, 0 where it is the next word.
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

# Tells whether a word begins with a redirection, which is the shell's own.
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
            # The file may be the next word.
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
    # A long text is no word to be completed.
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
    yield "# Adds the flags that have not been given, or may be given again."
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
    yield "# Adds what may stand at this place among the operands."
    yield "_llamacli_operand() {"
    yield "    case $command:$place in"
    for command in commands:
        for number, place in enumerate(command.operands, 1):
            what = " ".join([completion_kind(place.type), *place.type.values])
            yield f"    {command.name}:{'*' if place.multiple else number}) _llamacli_value '' {what} ;;"
    yield "    esac"
    yield "}"


def _listed() -> Iterator[str]:
    yield "# Adds the names of one sort, which are files of a folder, or lines of a file; $2 stands before them."
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
