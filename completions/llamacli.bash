# bash completion for llamacli. Made by `make completions` from the program's own tables; what is changed here is lost.
# shellcheck shell=bash disable=SC2034,SC2086,SC2154

# Sets what is known of the flag $1: its `forms`, what `value` it takes, and whether it comes `again`.
_llamacli_flag() {
    forms='' value='' again=''
    case $command in
    '')
        case $1 in
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    ask)
        case $1 in
        -s | --system) forms='-s --system' value=@ ;;
        -r | --role) forms='-r --role' value=role ;;
        -P | --prompt-file) forms='-P --prompt-file' value=prompt ;;
        -V | --var) forms='-V --var' value=field again=1 ;;
        --messages) forms=--messages value=@ ;;
        -f | --file) forms='-f --file' value=file again=1 ;;
        --files-from) forms=--files-from value=file ;;
        -e | --edit) forms='-e --edit' ;;
        -I | --no-stdin | --ignore-stdin) forms='-I --no-stdin --ignore-stdin' ;;
        -c | --continue) forms='-c --continue' ;;
        --save | --no-save) forms='--save --no-save' ;;
        --keep) forms=--keep value=text ;;
        --stdin-timeout) forms=--stdin-timeout value=text ;;
        --lossy) forms=--lossy ;;
        -m | --model) forms='-m --model' value=model ;;
        --max-tokens) forms=--max-tokens value=text ;;
        -t | --temperature) forms='-t --temperature' value=text ;;
        --top-p) forms=--top-p value=text ;;
        --top-k) forms=--top-k value=text ;;
        --min-p) forms=--min-p value=text ;;
        -n | --n) forms='-n --n' value=text ;;
        --stop) forms=--stop value=text again=1 ;;
        --seed) forms=--seed value=text ;;
        --frequency-penalty) forms=--frequency-penalty value=text ;;
        --presence-penalty) forms=--presence-penalty value=text ;;
        --repetition-penalty) forms=--repetition-penalty value=text ;;
        --logit-bias) forms=--logit-bias value=text again=1 ;;
        --logprobs | --no-logprobs) forms='--logprobs --no-logprobs' ;;
        --top-logprobs) forms=--top-logprobs value=text ;;
        --tools) forms=--tools value=@ ;;
        --tool-choice) forms=--tool-choice value='@ none auto required' ;;
        --parallel-tool-calls | --no-parallel-tool-calls) forms='--parallel-tool-calls --no-parallel-tool-calls' ;;
        --prediction) forms=--prediction value=@ ;;
        --echo | --no-echo) forms='--echo --no-echo' ;;
        --stream | --no-stream) forms='--stream --no-stream' ;;
        -p | --param) forms='-p --param' value=text again=1 ;;
        --json) forms=--json ;;
        -0 | --null) forms='-0 --null' ;;
        --allow-truncated) forms=--allow-truncated ;;
        -o | --output) forms='-o --output' value=file ;;
        --choice) forms=--choice value=text again=1 ;;
        --yes-no) forms=--yes-no ;;
        --schema) forms=--schema value=@ ;;
        --fit-retries) forms=--fit-retries value=text ;;
        -x | --extract) forms='-x --extract' ;;
        --keep-thinking) forms=--keep-thinking ;;
        --dry-run) forms=--dry-run ;;
        --curl) forms=--curl ;;
        -u | --usage | --no-usage) forms='-u --usage --no-usage' ;;
        --markdown | --no-markdown) forms='--markdown --no-markdown' ;;
        --reasoning) forms=--reasoning ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        --base-url) forms=--base-url value=text ;;
        --key-file) forms=--key-file value=file ;;
        --no-key) forms=--no-key ;;
        --allow-http) forms=--allow-http ;;
        --timeout) forms=--timeout value=text ;;
        --connect-timeout) forms=--connect-timeout value=text ;;
        --max-time) forms=--max-time value=text ;;
        --retry) forms=--retry value=text ;;
        --retry-max-time) forms=--retry-max-time value=text ;;
        -H | --header) forms='-H --header' value=text again=1 ;;
        --request-id) forms=--request-id value=text ;;
        --ca-bundle) forms=--ca-bundle value=file ;;
        --usage-log) forms=--usage-log value=file ;;
        --fallback-model) forms=--fallback-model value=model again=1 ;;
        --cache) forms=--cache value=text ;;
        --refresh) forms=--refresh ;;
        --offline) forms=--offline ;;
        --cache-keep) forms=--cache-keep value=text ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    chat)
        case $1 in
        -c | --continue) forms='-c --continue' ;;
        --save | --no-save) forms='--save --no-save' ;;
        --keep) forms=--keep value=text ;;
        -S | --session) forms='-S --session' value=session ;;
        -i | --interactive) forms='-i --interactive' ;;
        --keep-turns) forms=--keep-turns value=text ;;
        --tool-result) forms=--tool-result value=field again=1 ;;
        -s | --system) forms='-s --system' value=@ ;;
        -r | --role) forms='-r --role' value=role ;;
        -P | --prompt-file) forms='-P --prompt-file' value=prompt ;;
        -V | --var) forms='-V --var' value=field again=1 ;;
        --messages) forms=--messages value=@ ;;
        -f | --file) forms='-f --file' value=file again=1 ;;
        --files-from) forms=--files-from value=file ;;
        -e | --edit) forms='-e --edit' ;;
        -I | --no-stdin | --ignore-stdin) forms='-I --no-stdin --ignore-stdin' ;;
        --stdin-timeout) forms=--stdin-timeout value=text ;;
        --lossy) forms=--lossy ;;
        -m | --model) forms='-m --model' value=model ;;
        --max-tokens) forms=--max-tokens value=text ;;
        -t | --temperature) forms='-t --temperature' value=text ;;
        --top-p) forms=--top-p value=text ;;
        --top-k) forms=--top-k value=text ;;
        --min-p) forms=--min-p value=text ;;
        -n | --n) forms='-n --n' value=text ;;
        --stop) forms=--stop value=text again=1 ;;
        --seed) forms=--seed value=text ;;
        --frequency-penalty) forms=--frequency-penalty value=text ;;
        --presence-penalty) forms=--presence-penalty value=text ;;
        --repetition-penalty) forms=--repetition-penalty value=text ;;
        --logit-bias) forms=--logit-bias value=text again=1 ;;
        --logprobs | --no-logprobs) forms='--logprobs --no-logprobs' ;;
        --top-logprobs) forms=--top-logprobs value=text ;;
        --tools) forms=--tools value=@ ;;
        --tool-choice) forms=--tool-choice value='@ none auto required' ;;
        --parallel-tool-calls | --no-parallel-tool-calls) forms='--parallel-tool-calls --no-parallel-tool-calls' ;;
        --prediction) forms=--prediction value=@ ;;
        --echo | --no-echo) forms='--echo --no-echo' ;;
        --stream | --no-stream) forms='--stream --no-stream' ;;
        -p | --param) forms='-p --param' value=text again=1 ;;
        --json) forms=--json ;;
        -0 | --null) forms='-0 --null' ;;
        --allow-truncated) forms=--allow-truncated ;;
        -o | --output) forms='-o --output' value=file ;;
        --choice) forms=--choice value=text again=1 ;;
        --yes-no) forms=--yes-no ;;
        --schema) forms=--schema value=@ ;;
        --fit-retries) forms=--fit-retries value=text ;;
        -x | --extract) forms='-x --extract' ;;
        --keep-thinking) forms=--keep-thinking ;;
        --dry-run) forms=--dry-run ;;
        --curl) forms=--curl ;;
        -u | --usage | --no-usage) forms='-u --usage --no-usage' ;;
        --markdown | --no-markdown) forms='--markdown --no-markdown' ;;
        --reasoning) forms=--reasoning ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        --base-url) forms=--base-url value=text ;;
        --key-file) forms=--key-file value=file ;;
        --no-key) forms=--no-key ;;
        --allow-http) forms=--allow-http ;;
        --timeout) forms=--timeout value=text ;;
        --connect-timeout) forms=--connect-timeout value=text ;;
        --max-time) forms=--max-time value=text ;;
        --retry) forms=--retry value=text ;;
        --retry-max-time) forms=--retry-max-time value=text ;;
        -H | --header) forms='-H --header' value=text again=1 ;;
        --request-id) forms=--request-id value=text ;;
        --ca-bundle) forms=--ca-bundle value=file ;;
        --usage-log) forms=--usage-log value=file ;;
        --fallback-model) forms=--fallback-model value=model again=1 ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    raw)
        case $1 in
        --stdin-timeout) forms=--stdin-timeout value=text ;;
        -F | --field) forms='-F --field' value=field again=1 ;;
        --endpoint) forms=--endpoint value=text ;;
        -X | --method) forms='-X --method' value='text GET POST PUT PATCH DELETE' ;;
        -i | --include) forms='-i --include' ;;
        --sse) forms=--sse ;;
        -o | --output) forms='-o --output' value=file ;;
        --dry-run) forms=--dry-run ;;
        --curl) forms=--curl ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        --base-url) forms=--base-url value=text ;;
        --key-file) forms=--key-file value=file ;;
        --no-key) forms=--no-key ;;
        --allow-http) forms=--allow-http ;;
        --timeout) forms=--timeout value=text ;;
        --connect-timeout) forms=--connect-timeout value=text ;;
        --max-time) forms=--max-time value=text ;;
        --retry) forms=--retry value=text ;;
        --retry-max-time) forms=--retry-max-time value=text ;;
        -H | --header) forms='-H --header' value=text again=1 ;;
        --request-id) forms=--request-id value=text ;;
        --ca-bundle) forms=--ca-bundle value=file ;;
        --usage-log) forms=--usage-log value=file ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    batch)
        case $1 in
        --input) forms=--input value='text lines jsonl csv tsv files' ;;
        --limit) forms=--limit value=text ;;
        -s | --system) forms='-s --system' value=@ ;;
        -r | --role) forms='-r --role' value=role ;;
        -P | --prompt-file) forms='-P --prompt-file' value=prompt ;;
        -V | --var) forms='-V --var' value=field again=1 ;;
        --messages) forms=--messages value=@ ;;
        -f | --file) forms='-f --file' value=file again=1 ;;
        --files-from) forms=--files-from value=file ;;
        --stdin-timeout) forms=--stdin-timeout value=text ;;
        --lossy) forms=--lossy ;;
        -m | --model) forms='-m --model' value=model ;;
        --max-tokens) forms=--max-tokens value=text ;;
        -t | --temperature) forms='-t --temperature' value=text ;;
        --top-p) forms=--top-p value=text ;;
        --top-k) forms=--top-k value=text ;;
        --min-p) forms=--min-p value=text ;;
        -n | --n) forms='-n --n' value=text ;;
        --stop) forms=--stop value=text again=1 ;;
        --seed) forms=--seed value=text ;;
        --frequency-penalty) forms=--frequency-penalty value=text ;;
        --presence-penalty) forms=--presence-penalty value=text ;;
        --repetition-penalty) forms=--repetition-penalty value=text ;;
        --logit-bias) forms=--logit-bias value=text again=1 ;;
        --logprobs | --no-logprobs) forms='--logprobs --no-logprobs' ;;
        --top-logprobs) forms=--top-logprobs value=text ;;
        --tools) forms=--tools value=@ ;;
        --tool-choice) forms=--tool-choice value='@ none auto required' ;;
        --parallel-tool-calls | --no-parallel-tool-calls) forms='--parallel-tool-calls --no-parallel-tool-calls' ;;
        --prediction) forms=--prediction value=@ ;;
        --echo | --no-echo) forms='--echo --no-echo' ;;
        --stream | --no-stream) forms='--stream --no-stream' ;;
        -p | --param) forms='-p --param' value=text again=1 ;;
        --choice) forms=--choice value=text again=1 ;;
        --yes-no) forms=--yes-no ;;
        --schema) forms=--schema value=@ ;;
        --fit-retries) forms=--fit-retries value=text ;;
        -x | --extract) forms='-x --extract' ;;
        --keep-thinking) forms=--keep-thinking ;;
        -o | --output) forms='-o --output' value=file ;;
        --resume) forms=--resume ;;
        --retry-failed) forms=--retry-failed ;;
        --plain) forms=--plain ;;
        -0 | --null) forms='-0 --null' ;;
        --unordered) forms=--unordered ;;
        --allow-truncated) forms=--allow-truncated ;;
        --write) forms=--write value=file ;;
        --in-place) forms=--in-place ;;
        --diff) forms=--diff ;;
        -j | --jobs) forms='-j --jobs' value=text ;;
        --rpm) forms=--rpm value=text ;;
        --max-cost) forms=--max-cost value=text ;;
        --fail-fast) forms=--fail-fast ;;
        --shard) forms=--shard value=text ;;
        --dry-run) forms=--dry-run ;;
        --curl) forms=--curl ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        --base-url) forms=--base-url value=text ;;
        --key-file) forms=--key-file value=file ;;
        --no-key) forms=--no-key ;;
        --allow-http) forms=--allow-http ;;
        --timeout) forms=--timeout value=text ;;
        --connect-timeout) forms=--connect-timeout value=text ;;
        --max-time) forms=--max-time value=text ;;
        --retry) forms=--retry value=text ;;
        --retry-max-time) forms=--retry-max-time value=text ;;
        -H | --header) forms='-H --header' value=text again=1 ;;
        --request-id) forms=--request-id value=text ;;
        --ca-bundle) forms=--ca-bundle value=file ;;
        --usage-log) forms=--usage-log value=file ;;
        --fallback-model) forms=--fallback-model value=model again=1 ;;
        --cache) forms=--cache value=text ;;
        --refresh) forms=--refresh ;;
        --offline) forms=--offline ;;
        --cache-keep) forms=--cache-keep value=text ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    models)
        case $1 in
        -a | --all) forms='-a --all' ;;
        --json) forms=--json ;;
        -o | --output) forms='-o --output' value=file ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        --base-url) forms=--base-url value=text ;;
        --key-file) forms=--key-file value=file ;;
        --no-key) forms=--no-key ;;
        --allow-http) forms=--allow-http ;;
        --timeout) forms=--timeout value=text ;;
        --connect-timeout) forms=--connect-timeout value=text ;;
        --max-time) forms=--max-time value=text ;;
        --retry) forms=--retry value=text ;;
        --retry-max-time) forms=--retry-max-time value=text ;;
        -H | --header) forms='-H --header' value=text again=1 ;;
        --request-id) forms=--request-id value=text ;;
        --ca-bundle) forms=--ca-bundle value=file ;;
        --usage-log) forms=--usage-log value=file ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    sessions)
        case $1 in
        --json) forms=--json ;;
        --older-than) forms=--older-than value=text ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    config)
        case $1 in
        -a | --all) forms='-a --all' ;;
        -m | --model) forms='-m --model' value=model ;;
        --max-tokens) forms=--max-tokens value=text ;;
        -t | --temperature) forms='-t --temperature' value=text ;;
        --top-p) forms=--top-p value=text ;;
        --top-k) forms=--top-k value=text ;;
        --min-p) forms=--min-p value=text ;;
        -n | --n) forms='-n --n' value=text ;;
        --stop) forms=--stop value=text again=1 ;;
        --seed) forms=--seed value=text ;;
        --frequency-penalty) forms=--frequency-penalty value=text ;;
        --presence-penalty) forms=--presence-penalty value=text ;;
        --repetition-penalty) forms=--repetition-penalty value=text ;;
        --logit-bias) forms=--logit-bias value=text again=1 ;;
        --logprobs | --no-logprobs) forms='--logprobs --no-logprobs' ;;
        --top-logprobs) forms=--top-logprobs value=text ;;
        --tools) forms=--tools value=@ ;;
        --tool-choice) forms=--tool-choice value='@ none auto required' ;;
        --parallel-tool-calls | --no-parallel-tool-calls) forms='--parallel-tool-calls --no-parallel-tool-calls' ;;
        --prediction) forms=--prediction value=@ ;;
        --echo | --no-echo) forms='--echo --no-echo' ;;
        --stream | --no-stream) forms='--stream --no-stream' ;;
        -p | --param) forms='-p --param' value=text again=1 ;;
        -u | --usage | --no-usage) forms='-u --usage --no-usage' ;;
        --markdown | --no-markdown) forms='--markdown --no-markdown' ;;
        --reasoning) forms=--reasoning ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        --base-url) forms=--base-url value=text ;;
        --key-file) forms=--key-file value=file ;;
        --no-key) forms=--no-key ;;
        --allow-http) forms=--allow-http ;;
        --timeout) forms=--timeout value=text ;;
        --connect-timeout) forms=--connect-timeout value=text ;;
        --max-time) forms=--max-time value=text ;;
        --retry) forms=--retry value=text ;;
        --retry-max-time) forms=--retry-max-time value=text ;;
        -H | --header) forms='-H --header' value=text again=1 ;;
        --request-id) forms=--request-id value=text ;;
        --ca-bundle) forms=--ca-bundle value=file ;;
        --usage-log) forms=--usage-log value=file ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    usage)
        case $1 in
        --json) forms=--json ;;
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    completion)
        case $1 in
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    man)
        case $1 in
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    help)
        case $1 in
        -q | --quiet | --no-quiet) forms='-q --quiet --no-quiet' ;;
        -v | --verbose | --no-verbose) forms='-v --verbose --no-verbose' ;;
        --no-color | --color) forms='--no-color --color' ;;
        -h | --help) forms='-h --help' ;;
        --version) forms=--version ;;
        esac
        ;;
    esac
}

# Adds the flags that have not been given, or may be given again.
_llamacli_flags() {
    local all='' flag
    case $command in
    '') all='-h --help --version' ;;
    ask) all='-s --system -r --role -P --prompt-file -V --var --messages -f --file --files-from -e --edit -I --no-stdin --ignore-stdin -c --continue --save --no-save --keep --stdin-timeout --lossy -m --model --max-tokens -t --temperature --top-p --top-k --min-p -n --n --stop --seed --frequency-penalty --presence-penalty --repetition-penalty --logit-bias --logprobs --no-logprobs --top-logprobs --tools --tool-choice --parallel-tool-calls --no-parallel-tool-calls --prediction --echo --no-echo --stream --no-stream -p --param --json -0 --null --allow-truncated -o --output --choice --yes-no --schema --fit-retries -x --extract --keep-thinking --dry-run --curl -u --usage --no-usage --markdown --no-markdown --reasoning -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color --base-url --key-file --no-key --allow-http --timeout --connect-timeout --max-time --retry --retry-max-time -H --header --request-id --ca-bundle --usage-log --fallback-model --cache --refresh --offline --cache-keep -h --help --version' ;;
    chat) all='-c --continue --save --no-save --keep -S --session -i --interactive --keep-turns --tool-result -s --system -r --role -P --prompt-file -V --var --messages -f --file --files-from -e --edit -I --no-stdin --ignore-stdin --stdin-timeout --lossy -m --model --max-tokens -t --temperature --top-p --top-k --min-p -n --n --stop --seed --frequency-penalty --presence-penalty --repetition-penalty --logit-bias --logprobs --no-logprobs --top-logprobs --tools --tool-choice --parallel-tool-calls --no-parallel-tool-calls --prediction --echo --no-echo --stream --no-stream -p --param --json -0 --null --allow-truncated -o --output --choice --yes-no --schema --fit-retries -x --extract --keep-thinking --dry-run --curl -u --usage --no-usage --markdown --no-markdown --reasoning -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color --base-url --key-file --no-key --allow-http --timeout --connect-timeout --max-time --retry --retry-max-time -H --header --request-id --ca-bundle --usage-log --fallback-model -h --help --version' ;;
    raw) all='--stdin-timeout -F --field --endpoint -X --method -i --include --sse -o --output --dry-run --curl -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color --base-url --key-file --no-key --allow-http --timeout --connect-timeout --max-time --retry --retry-max-time -H --header --request-id --ca-bundle --usage-log -h --help --version' ;;
    batch) all='--input --limit -s --system -r --role -P --prompt-file -V --var --messages -f --file --files-from --stdin-timeout --lossy -m --model --max-tokens -t --temperature --top-p --top-k --min-p -n --n --stop --seed --frequency-penalty --presence-penalty --repetition-penalty --logit-bias --logprobs --no-logprobs --top-logprobs --tools --tool-choice --parallel-tool-calls --no-parallel-tool-calls --prediction --echo --no-echo --stream --no-stream -p --param --choice --yes-no --schema --fit-retries -x --extract --keep-thinking -o --output --resume --retry-failed --plain -0 --null --unordered --allow-truncated --write --in-place --diff -j --jobs --rpm --max-cost --fail-fast --shard --dry-run --curl -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color --base-url --key-file --no-key --allow-http --timeout --connect-timeout --max-time --retry --retry-max-time -H --header --request-id --ca-bundle --usage-log --fallback-model --cache --refresh --offline --cache-keep -h --help --version' ;;
    models) all='-a --all --json -o --output -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color --base-url --key-file --no-key --allow-http --timeout --connect-timeout --max-time --retry --retry-max-time -H --header --request-id --ca-bundle --usage-log -h --help --version' ;;
    sessions) all='--json --older-than -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color -h --help --version' ;;
    config) all='-a --all -m --model --max-tokens -t --temperature --top-p --top-k --min-p -n --n --stop --seed --frequency-penalty --presence-penalty --repetition-penalty --logit-bias --logprobs --no-logprobs --top-logprobs --tools --tool-choice --parallel-tool-calls --no-parallel-tool-calls --prediction --echo --no-echo --stream --no-stream -p --param -u --usage --no-usage --markdown --no-markdown --reasoning -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color --base-url --key-file --no-key --allow-http --timeout --connect-timeout --max-time --retry --retry-max-time -H --header --request-id --ca-bundle --usage-log -h --help --version' ;;
    usage) all='--json -q --quiet --no-quiet -v --verbose --no-verbose --no-color --color -h --help --version' ;;
    completion) all='-q --quiet --no-quiet -v --verbose --no-verbose --no-color --color -h --help --version' ;;
    man) all='-q --quiet --no-quiet -v --verbose --no-verbose --no-color --color -h --help --version' ;;
    help) all='-q --quiet --no-quiet -v --verbose --no-verbose --no-color --color -h --help --version' ;;
    esac
    for flag in $all; do
        if [[ $flag != "$text"* ]]; then continue; fi
        if [[ $given == *" $flag "* ]]; then
            _llamacli_flag "$flag"
            [[ $again ]] || continue
        fi
        _llamacli_add '' "$flag"
    done
}

# Adds what may stand at this place among the operands.
_llamacli_operand() {
    case $command:$place in
    ask:*) _llamacli_value '' text ;;
    chat:*) _llamacli_value '' text ;;
    raw:1) _llamacli_value '' @ ;;
    batch:1) _llamacli_value '' text ;;
    batch:*) _llamacli_value '' file ;;
    models:1) _llamacli_value '' text ;;
    sessions:1) _llamacli_value '' text list show last grep rm ;;
    sessions:*) _llamacli_value '' session ;;
    config:1) _llamacli_value '' text show set unset set-key check ;;
    config:2) _llamacli_value '' text ;;
    config:*) _llamacli_value '' text ;;
    usage:1) _llamacli_value '' file ;;
    completion:1) _llamacli_value '' text bash zsh fish ;;
    help:1) _llamacli_value '' text ask chat raw batch models sessions config usage completion man help batch cache chat environment exit-codes files keys reasoning retries servers structured usage-log ;;
    esac
}

# Adds the names of one sort, which are files of a folder, or lines of a file; $2 stands before them.
_llamacli_listed() {
    local folder line
    case $1 in
    model)
        folder=$XDG_CACHE_HOME
        [[ $folder == /* ]] || folder="$HOME/.cache"
        [[ -r $folder/llamacli/models && -f $folder/llamacli/models ]] || return
        while IFS= read -r line || [[ $line ]]; do
            _llamacli_add "$2" "$line"
        done <"$folder/llamacli/models"
        ;;
    role)
        folder=$XDG_CONFIG_HOME
        [[ $folder == /* ]] || folder="$HOME/.config"
        _llamacli_names "$2" "$folder/llamacli/roles" .md
        ;;
    prompt)
        folder=$XDG_CONFIG_HOME
        [[ $folder == /* ]] || folder="$HOME/.config"
        _llamacli_names "$2" "$folder/llamacli/prompts" .md
        ;;
    session)
        folder=$XDG_STATE_HOME
        [[ $folder == /* ]] || folder="$HOME/.local/state"
        _llamacli_names "$2" "$folder/llamacli/sessions" .jsonl
        ;;
    esac
}

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
        _llamacli_value '' text ask chat raw batch models sessions config usage completion man help
    else
        _llamacli_operand
    fi
}

complete -o default -F _llamacli llamacli
