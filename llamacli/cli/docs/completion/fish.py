"""The completion for fish: a function and the tables that it uses."""

from collections.abc import Iterator, Sequence

from llamacli.cli.docs.completion.common import HEAD, LISTINGS, completion_kind, value
from llamacli.cli.spec import PROGRAM_FLAGS, CommandSpec, FlagSpec

ENGINE = r"""
# Prints the names of a flag that has not been given, or may be given again: $argv is again, description, names.
function __llamacli_offer --no-scope-shadowing
    if test -n "$argv[1]"; or not contains -- $argv[3] $given
        printf '%s\n' $argv[3..-1]\t$argv[2]
    end
end

# Prints the files that begin with $argv[2]; $argv[1] stands before them.
function __llamacli_files
    set -l start (string unescape -- "$argv[2]"; or string replace -ra '[\'"]' '' -- "$argv[2]")
    set -l found (complete -C "'' "(string escape -- "$start"))
    test -n "$found"; and printf '%s\n' $argv[1]$found
end

# Prints what a value may be: $argv[1] stands before it, $argv[2] is what is there of it, then sort and fixed words.
function __llamacli_value
    set -l lead $argv[1]
    set -l text (string replace -r '^[\'"]' '' -- $argv[2])
    switch $argv[3]
        case @
            if string match -q '@*' -- $text
                __llamacli_files "$lead@" (string sub -s 2 -- $text)
                return
            end
        case file
            __llamacli_files "$lead" "$text"
        case field
            if string match -q '*=@*' -- $text
                set -l cut (string split -m 1 =@ -- $text)
                __llamacli_files "$lead$cut[1]=@" "$cut[2]"
            end
        case '*'
            set -l names (__llamacli_listed $argv[3] "$text")
            set -q names[1]; and printf '%s\n' "$lead"$names
    end
    set -q argv[4]; and printf '%s\n' "$lead"$argv[4..-1]
end

# Follows the flags in a word: notes them as given, sets `value` to what the last one takes and `lead` to what stands
# before that in the word, nothing where it is the next word.
function __llamacli_follow --no-scope-shadowing
    set lead ''
    if string match -q -- '--*' $argv[1]
        set -l cut (string split -m 1 = -- $argv[1])
        __llamacli_flag $cut[1]
        set -a given $forms
        set -q cut[2]; and set lead $cut[1]=
        return
    end
    set -l letters (string split '' -- (string sub -s 2 -- $argv[1]))
    set -l i 0
    for letter in $letters
        set i (math $i + 1)
        __llamacli_flag -$letter
        set -a given $forms
        if set -q value[1]
            test $i -lt (count $letters); and set lead -(string join '' -- $letters[1..$i])
            return
        end
    end
end

function __llamacli_complete
    set -l words (commandline -opc)
    set -l token (string replace -r '^[\'"]' '' -- (commandline -ct))
    set -l command ''
    set -l place 1
    set -l given
    set -l ended ''
    set -l expected
    set -l forms
    set -l value
    set -l lead
    for word in $words[2..-1]
        if set -q expected[1]
            set expected
        else if test -z "$ended"; and test "$word" = --
            set ended 1
        else if test -z "$ended"; and string match -q -- '-?*' $word
            __llamacli_follow $word
            test -n "$lead"; or set expected $value
        else if test -z "$command"
            set command $word
        else
            set place (math $place + 1)
        end
    end
    if set -q expected[1]
        __llamacli_value '' "$token" $expected
    else if test -z "$ended"; and string match -q -- '-*' $token
        set -l before $given
        set value
        set lead ''
        string match -q -- '-?*' $token; and test "$token" != --; and __llamacli_follow $token
        if set -q value[1]; and test -n "$lead"
            __llamacli_value $lead (string sub -s (math 1 + (string length -- $lead)) -- $token) $value
        else
            set given $before
            __llamacli_flags
        end
    else if test -z "$command"
        __llamacli_commands
    else
        set -l what (__llamacli_operand)
        set -q what[1]; and __llamacli_value '' "$token" $what
    end
end

complete -c llamacli -f -a '(__llamacli_complete)'
"""


def script(commands: Sequence[CommandSpec]) -> str:
    """Returns the script."""
    parts = [
        f"# fish completion for llamacli. {HEAD}",
        "",
        *_flag(commands),
        "",
        *_flags(commands),
        "",
        "function __llamacli_commands",
        *(f"    printf '%s\\t%s\\n' {command.name} {quoted(command.summary)}" for command in commands),
        "end",
        "",
        *_operand(commands),
        "",
        *_listed(),
    ]
    return "\n".join(parts) + "\n" + ENGINE


def quoted(text: str) -> str:
    """Quotes a word for fish.

    In fish, a backslash means something in single quotes too.
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _flag(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# Sets what there is to know of a flag of $command: its `forms`, and of its `value` sort and fixed words."
    yield "function __llamacli_flag --no-scope-shadowing"
    yield "    set forms"
    yield "    set value"
    yield "    switch $command"
    yield "        case ''"
    yield from _cases(PROGRAM_FLAGS)
    for command in commands:
        yield f"        case {command.name}"
        yield from _cases(command.flags)
    yield "    end"
    yield "end"


def _cases(entries: Sequence[FlagSpec]) -> Iterator[str]:
    yield "            switch $argv[1]"
    for entry in entries:
        forms = " ".join(entry.names)
        yield f"                case {forms}"
        yield f"                    set forms {forms}"
        if entry.takes_value:
            yield f"                    set value {value(entry)}"
    yield "            end"


def _flags(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "function __llamacli_flags --no-scope-shadowing"
    yield "    switch $command"
    yield "        case ''"
    yield from (line for entry in PROGRAM_FLAGS for line in _offers(entry))
    for command in commands:
        yield f"        case {command.name}"
        yield from (line for entry in command.flags for line in _offers(entry))
    yield "    end"
    yield "end"


def _offers(entry: FlagSpec) -> Iterator[str]:
    again = "1" if entry.flag.multiple else "''"
    for text, forms in entry.descriptions.items():
        yield f"            __llamacli_offer {again} {quoted(text)} {' '.join(forms)}"


def _operand(commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# Prints the kind and the fixed words of the operand at this place."
    yield "function __llamacli_operand --no-scope-shadowing"
    yield "    switch $command:$place"
    for command in commands:
        for number, place in enumerate(command.operands, 1):
            words = " ".join([completion_kind(place.type), *place.type.values])
            yield f"        case '{command.name}:{'*' if place.multiple else number}'"
            yield f"            printf '%s\\n' {words}"
    yield "    end"
    yield "end"


def _listed() -> Iterator[str]:
    yield "# Prints the names of one kind: files of a folder, or lines of a file."
    yield "function __llamacli_listed"
    yield "    switch $argv[1]"
    for name, listing in LISTINGS.items():
        variable = listing.folder.variable
        yield f"        case {name}"
        yield f"            set -l folder ${variable}"
        yield f'            string match -q \'/*\' -- "$folder"; or set folder "$HOME/{listing.folder.default}"'
        path = f"$folder/llamacli/{listing.name}"
        if listing.suffix:
            pattern = listing.suffix.replace(".", "\\.")
            # Only matching files, since there may be thousands; if there are none, all of them.
            yield f"            set -l paths {path}/$argv[2]*{listing.suffix}"
            yield f"            set -q paths[1]; or set paths {path}/*{listing.suffix}"
            # Without arguments, string would wait for stdin.
            yield f"            set -q paths[1]; and string replace -rf '.*/([^[:cntrl:]]*){pattern}$' '$1' -- $paths"
        else:
            yield f"            if test -r {path}; and test -f {path}"
            yield f"                string match -rv '[[:cntrl:]]' <{path}"
            yield "            end"
    yield "    end"
    yield "end"
