# fish completion for llamacli. Made by `make completions` from the program's own tables; what is changed here is lost.

# Sets what there is to know of a flag of $command: its `forms`, and of its `value` sort and fixed words.
function __llamacli_flag --no-scope-shadowing
    set forms
    set value
    switch $command
        case ''
            switch $argv[1]
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case ask
            switch $argv[1]
                case -s --system
                    set forms -s --system
                    set value @
                case -r --role
                    set forms -r --role
                    set value role
                case -P --prompt-file
                    set forms -P --prompt-file
                    set value prompt
                case -V --var
                    set forms -V --var
                    set value field
                case --messages
                    set forms --messages
                    set value @
                case -f --file
                    set forms -f --file
                    set value file
                case --files-from
                    set forms --files-from
                    set value file
                case -e --edit
                    set forms -e --edit
                case -I --no-stdin --ignore-stdin
                    set forms -I --no-stdin --ignore-stdin
                case -c --continue
                    set forms -c --continue
                case --save --no-save
                    set forms --save --no-save
                case --keep
                    set forms --keep
                    set value text
                case --stdin-timeout
                    set forms --stdin-timeout
                    set value text
                case --lossy
                    set forms --lossy
                case -m --model
                    set forms -m --model
                    set value model
                case --max-tokens
                    set forms --max-tokens
                    set value text
                case -t --temperature
                    set forms -t --temperature
                    set value text
                case --top-p
                    set forms --top-p
                    set value text
                case --top-k
                    set forms --top-k
                    set value text
                case --min-p
                    set forms --min-p
                    set value text
                case -n --n
                    set forms -n --n
                    set value text
                case --stop
                    set forms --stop
                    set value text
                case --seed
                    set forms --seed
                    set value text
                case --frequency-penalty
                    set forms --frequency-penalty
                    set value text
                case --presence-penalty
                    set forms --presence-penalty
                    set value text
                case --repetition-penalty
                    set forms --repetition-penalty
                    set value text
                case --logit-bias
                    set forms --logit-bias
                    set value text
                case --logprobs --no-logprobs
                    set forms --logprobs --no-logprobs
                case --top-logprobs
                    set forms --top-logprobs
                    set value text
                case --tools
                    set forms --tools
                    set value @
                case --tool-choice
                    set forms --tool-choice
                    set value @ none auto required
                case --parallel-tool-calls --no-parallel-tool-calls
                    set forms --parallel-tool-calls --no-parallel-tool-calls
                case --prediction
                    set forms --prediction
                    set value @
                case --echo --no-echo
                    set forms --echo --no-echo
                case --stream --no-stream
                    set forms --stream --no-stream
                case -p --param
                    set forms -p --param
                    set value text
                case --json
                    set forms --json
                case -0 --null
                    set forms -0 --null
                case --allow-truncated
                    set forms --allow-truncated
                case -o --output
                    set forms -o --output
                    set value file
                case --choice
                    set forms --choice
                    set value text
                case --yes-no
                    set forms --yes-no
                case --schema
                    set forms --schema
                    set value @
                case --fit-retries
                    set forms --fit-retries
                    set value text
                case -x --extract
                    set forms -x --extract
                case --keep-thinking
                    set forms --keep-thinking
                case --dry-run
                    set forms --dry-run
                case --curl
                    set forms --curl
                case -u --usage --no-usage
                    set forms -u --usage --no-usage
                case --markdown --no-markdown
                    set forms --markdown --no-markdown
                case --reasoning
                    set forms --reasoning
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case --base-url
                    set forms --base-url
                    set value text
                case --key-file
                    set forms --key-file
                    set value file
                case --no-key
                    set forms --no-key
                case --allow-http
                    set forms --allow-http
                case --timeout
                    set forms --timeout
                    set value text
                case --connect-timeout
                    set forms --connect-timeout
                    set value text
                case --max-time
                    set forms --max-time
                    set value text
                case --retry
                    set forms --retry
                    set value text
                case --retry-max-time
                    set forms --retry-max-time
                    set value text
                case -H --header
                    set forms -H --header
                    set value text
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case --usage-log
                    set forms --usage-log
                    set value file
                case --fallback-model
                    set forms --fallback-model
                    set value model
                case --cache
                    set forms --cache
                    set value text
                case --refresh
                    set forms --refresh
                case --offline
                    set forms --offline
                case --cache-keep
                    set forms --cache-keep
                    set value text
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case chat
            switch $argv[1]
                case -c --continue
                    set forms -c --continue
                case --save --no-save
                    set forms --save --no-save
                case --keep
                    set forms --keep
                    set value text
                case -S --session
                    set forms -S --session
                    set value session
                case -i --interactive
                    set forms -i --interactive
                case --keep-turns
                    set forms --keep-turns
                    set value text
                case --tool-result
                    set forms --tool-result
                    set value field
                case -s --system
                    set forms -s --system
                    set value @
                case -r --role
                    set forms -r --role
                    set value role
                case -P --prompt-file
                    set forms -P --prompt-file
                    set value prompt
                case -V --var
                    set forms -V --var
                    set value field
                case --messages
                    set forms --messages
                    set value @
                case -f --file
                    set forms -f --file
                    set value file
                case --files-from
                    set forms --files-from
                    set value file
                case -e --edit
                    set forms -e --edit
                case -I --no-stdin --ignore-stdin
                    set forms -I --no-stdin --ignore-stdin
                case --stdin-timeout
                    set forms --stdin-timeout
                    set value text
                case --lossy
                    set forms --lossy
                case -m --model
                    set forms -m --model
                    set value model
                case --max-tokens
                    set forms --max-tokens
                    set value text
                case -t --temperature
                    set forms -t --temperature
                    set value text
                case --top-p
                    set forms --top-p
                    set value text
                case --top-k
                    set forms --top-k
                    set value text
                case --min-p
                    set forms --min-p
                    set value text
                case -n --n
                    set forms -n --n
                    set value text
                case --stop
                    set forms --stop
                    set value text
                case --seed
                    set forms --seed
                    set value text
                case --frequency-penalty
                    set forms --frequency-penalty
                    set value text
                case --presence-penalty
                    set forms --presence-penalty
                    set value text
                case --repetition-penalty
                    set forms --repetition-penalty
                    set value text
                case --logit-bias
                    set forms --logit-bias
                    set value text
                case --logprobs --no-logprobs
                    set forms --logprobs --no-logprobs
                case --top-logprobs
                    set forms --top-logprobs
                    set value text
                case --tools
                    set forms --tools
                    set value @
                case --tool-choice
                    set forms --tool-choice
                    set value @ none auto required
                case --parallel-tool-calls --no-parallel-tool-calls
                    set forms --parallel-tool-calls --no-parallel-tool-calls
                case --prediction
                    set forms --prediction
                    set value @
                case --echo --no-echo
                    set forms --echo --no-echo
                case --stream --no-stream
                    set forms --stream --no-stream
                case -p --param
                    set forms -p --param
                    set value text
                case --json
                    set forms --json
                case -0 --null
                    set forms -0 --null
                case --allow-truncated
                    set forms --allow-truncated
                case -o --output
                    set forms -o --output
                    set value file
                case --choice
                    set forms --choice
                    set value text
                case --yes-no
                    set forms --yes-no
                case --schema
                    set forms --schema
                    set value @
                case --fit-retries
                    set forms --fit-retries
                    set value text
                case -x --extract
                    set forms -x --extract
                case --keep-thinking
                    set forms --keep-thinking
                case --dry-run
                    set forms --dry-run
                case --curl
                    set forms --curl
                case -u --usage --no-usage
                    set forms -u --usage --no-usage
                case --markdown --no-markdown
                    set forms --markdown --no-markdown
                case --reasoning
                    set forms --reasoning
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case --base-url
                    set forms --base-url
                    set value text
                case --key-file
                    set forms --key-file
                    set value file
                case --no-key
                    set forms --no-key
                case --allow-http
                    set forms --allow-http
                case --timeout
                    set forms --timeout
                    set value text
                case --connect-timeout
                    set forms --connect-timeout
                    set value text
                case --max-time
                    set forms --max-time
                    set value text
                case --retry
                    set forms --retry
                    set value text
                case --retry-max-time
                    set forms --retry-max-time
                    set value text
                case -H --header
                    set forms -H --header
                    set value text
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case --usage-log
                    set forms --usage-log
                    set value file
                case --fallback-model
                    set forms --fallback-model
                    set value model
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case raw
            switch $argv[1]
                case --stdin-timeout
                    set forms --stdin-timeout
                    set value text
                case -F --field
                    set forms -F --field
                    set value field
                case --endpoint
                    set forms --endpoint
                    set value text
                case -X --method
                    set forms -X --method
                    set value text GET POST PUT PATCH DELETE
                case -i --include
                    set forms -i --include
                case --sse
                    set forms --sse
                case -o --output
                    set forms -o --output
                    set value file
                case --dry-run
                    set forms --dry-run
                case --curl
                    set forms --curl
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case --base-url
                    set forms --base-url
                    set value text
                case --key-file
                    set forms --key-file
                    set value file
                case --no-key
                    set forms --no-key
                case --allow-http
                    set forms --allow-http
                case --timeout
                    set forms --timeout
                    set value text
                case --connect-timeout
                    set forms --connect-timeout
                    set value text
                case --max-time
                    set forms --max-time
                    set value text
                case --retry
                    set forms --retry
                    set value text
                case --retry-max-time
                    set forms --retry-max-time
                    set value text
                case -H --header
                    set forms -H --header
                    set value text
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case --usage-log
                    set forms --usage-log
                    set value file
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case batch
            switch $argv[1]
                case --input
                    set forms --input
                    set value text lines jsonl csv tsv files
                case --limit
                    set forms --limit
                    set value text
                case -s --system
                    set forms -s --system
                    set value @
                case -r --role
                    set forms -r --role
                    set value role
                case -P --prompt-file
                    set forms -P --prompt-file
                    set value prompt
                case -V --var
                    set forms -V --var
                    set value field
                case --messages
                    set forms --messages
                    set value @
                case -f --file
                    set forms -f --file
                    set value file
                case --files-from
                    set forms --files-from
                    set value file
                case --stdin-timeout
                    set forms --stdin-timeout
                    set value text
                case --lossy
                    set forms --lossy
                case -m --model
                    set forms -m --model
                    set value model
                case --max-tokens
                    set forms --max-tokens
                    set value text
                case -t --temperature
                    set forms -t --temperature
                    set value text
                case --top-p
                    set forms --top-p
                    set value text
                case --top-k
                    set forms --top-k
                    set value text
                case --min-p
                    set forms --min-p
                    set value text
                case -n --n
                    set forms -n --n
                    set value text
                case --stop
                    set forms --stop
                    set value text
                case --seed
                    set forms --seed
                    set value text
                case --frequency-penalty
                    set forms --frequency-penalty
                    set value text
                case --presence-penalty
                    set forms --presence-penalty
                    set value text
                case --repetition-penalty
                    set forms --repetition-penalty
                    set value text
                case --logit-bias
                    set forms --logit-bias
                    set value text
                case --logprobs --no-logprobs
                    set forms --logprobs --no-logprobs
                case --top-logprobs
                    set forms --top-logprobs
                    set value text
                case --tools
                    set forms --tools
                    set value @
                case --tool-choice
                    set forms --tool-choice
                    set value @ none auto required
                case --parallel-tool-calls --no-parallel-tool-calls
                    set forms --parallel-tool-calls --no-parallel-tool-calls
                case --prediction
                    set forms --prediction
                    set value @
                case --echo --no-echo
                    set forms --echo --no-echo
                case --stream --no-stream
                    set forms --stream --no-stream
                case -p --param
                    set forms -p --param
                    set value text
                case --choice
                    set forms --choice
                    set value text
                case --yes-no
                    set forms --yes-no
                case --schema
                    set forms --schema
                    set value @
                case --fit-retries
                    set forms --fit-retries
                    set value text
                case -x --extract
                    set forms -x --extract
                case --keep-thinking
                    set forms --keep-thinking
                case -o --output
                    set forms -o --output
                    set value file
                case --resume
                    set forms --resume
                case --retry-failed
                    set forms --retry-failed
                case --plain
                    set forms --plain
                case -0 --null
                    set forms -0 --null
                case --unordered
                    set forms --unordered
                case --allow-truncated
                    set forms --allow-truncated
                case --write
                    set forms --write
                    set value file
                case --in-place
                    set forms --in-place
                case --diff
                    set forms --diff
                case -j --jobs
                    set forms -j --jobs
                    set value text
                case --rpm
                    set forms --rpm
                    set value text
                case --max-cost
                    set forms --max-cost
                    set value text
                case --fail-fast
                    set forms --fail-fast
                case --shard
                    set forms --shard
                    set value text
                case --dry-run
                    set forms --dry-run
                case --curl
                    set forms --curl
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case --base-url
                    set forms --base-url
                    set value text
                case --key-file
                    set forms --key-file
                    set value file
                case --no-key
                    set forms --no-key
                case --allow-http
                    set forms --allow-http
                case --timeout
                    set forms --timeout
                    set value text
                case --connect-timeout
                    set forms --connect-timeout
                    set value text
                case --max-time
                    set forms --max-time
                    set value text
                case --retry
                    set forms --retry
                    set value text
                case --retry-max-time
                    set forms --retry-max-time
                    set value text
                case -H --header
                    set forms -H --header
                    set value text
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case --usage-log
                    set forms --usage-log
                    set value file
                case --fallback-model
                    set forms --fallback-model
                    set value model
                case --cache
                    set forms --cache
                    set value text
                case --refresh
                    set forms --refresh
                case --offline
                    set forms --offline
                case --cache-keep
                    set forms --cache-keep
                    set value text
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case models
            switch $argv[1]
                case -a --all
                    set forms -a --all
                case --json
                    set forms --json
                case -o --output
                    set forms -o --output
                    set value file
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case --base-url
                    set forms --base-url
                    set value text
                case --key-file
                    set forms --key-file
                    set value file
                case --no-key
                    set forms --no-key
                case --allow-http
                    set forms --allow-http
                case --timeout
                    set forms --timeout
                    set value text
                case --connect-timeout
                    set forms --connect-timeout
                    set value text
                case --max-time
                    set forms --max-time
                    set value text
                case --retry
                    set forms --retry
                    set value text
                case --retry-max-time
                    set forms --retry-max-time
                    set value text
                case -H --header
                    set forms -H --header
                    set value text
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case --usage-log
                    set forms --usage-log
                    set value file
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case sessions
            switch $argv[1]
                case --json
                    set forms --json
                case --older-than
                    set forms --older-than
                    set value text
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case config
            switch $argv[1]
                case -a --all
                    set forms -a --all
                case -m --model
                    set forms -m --model
                    set value model
                case --max-tokens
                    set forms --max-tokens
                    set value text
                case -t --temperature
                    set forms -t --temperature
                    set value text
                case --top-p
                    set forms --top-p
                    set value text
                case --top-k
                    set forms --top-k
                    set value text
                case --min-p
                    set forms --min-p
                    set value text
                case -n --n
                    set forms -n --n
                    set value text
                case --stop
                    set forms --stop
                    set value text
                case --seed
                    set forms --seed
                    set value text
                case --frequency-penalty
                    set forms --frequency-penalty
                    set value text
                case --presence-penalty
                    set forms --presence-penalty
                    set value text
                case --repetition-penalty
                    set forms --repetition-penalty
                    set value text
                case --logit-bias
                    set forms --logit-bias
                    set value text
                case --logprobs --no-logprobs
                    set forms --logprobs --no-logprobs
                case --top-logprobs
                    set forms --top-logprobs
                    set value text
                case --tools
                    set forms --tools
                    set value @
                case --tool-choice
                    set forms --tool-choice
                    set value @ none auto required
                case --parallel-tool-calls --no-parallel-tool-calls
                    set forms --parallel-tool-calls --no-parallel-tool-calls
                case --prediction
                    set forms --prediction
                    set value @
                case --echo --no-echo
                    set forms --echo --no-echo
                case --stream --no-stream
                    set forms --stream --no-stream
                case -p --param
                    set forms -p --param
                    set value text
                case -u --usage --no-usage
                    set forms -u --usage --no-usage
                case --markdown --no-markdown
                    set forms --markdown --no-markdown
                case --reasoning
                    set forms --reasoning
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case --base-url
                    set forms --base-url
                    set value text
                case --key-file
                    set forms --key-file
                    set value file
                case --no-key
                    set forms --no-key
                case --allow-http
                    set forms --allow-http
                case --timeout
                    set forms --timeout
                    set value text
                case --connect-timeout
                    set forms --connect-timeout
                    set value text
                case --max-time
                    set forms --max-time
                    set value text
                case --retry
                    set forms --retry
                    set value text
                case --retry-max-time
                    set forms --retry-max-time
                    set value text
                case -H --header
                    set forms -H --header
                    set value text
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case --usage-log
                    set forms --usage-log
                    set value file
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case usage
            switch $argv[1]
                case --json
                    set forms --json
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case completion
            switch $argv[1]
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case man
            switch $argv[1]
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case help
            switch $argv[1]
                case -q --quiet --no-quiet
                    set forms -q --quiet --no-quiet
                case -v --verbose --no-verbose
                    set forms -v --verbose --no-verbose
                case --no-color --color
                    set forms --no-color --color
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
    end
end

function __llamacli_flags --no-scope-shadowing
    switch $command
        case ''
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case ask
            __llamacli_offer '' 'System message; TEXT or @FILE.' -s --system
            __llamacli_offer '' 'System message from roles/NAME.md in the config folder.' -r --role
            __llamacli_offer '' 'Prompt and settings from a file, or from prompts/NAME.md.' -P --prompt-file
            __llamacli_offer 1 'Set a variable of the prompt file; VALUE or @FILE.' -V --var
            __llamacli_offer '' 'Messages to put before the prompt; JSON or @FILE.' --messages
            __llamacli_offer 1 'Append a file or picture to the prompt.' -f --file
            __llamacli_offer '' 'Append every file listed in FILE; - for stdin.' --files-from
            __llamacli_offer '' 'Write the prompt in $VISUAL or $EDITOR.' -e --edit
            __llamacli_offer '' 'Do not read stdin.' -I --no-stdin --ignore-stdin
            __llamacli_offer '' 'Continue the last conversation of this terminal.' -c --continue
            __llamacli_offer '' 'Save the conversation (ask: the default on a terminal).' --save
            __llamacli_offer '' 'Do the opposite of --save.' --no-save
            __llamacli_offer '' 'Number of unnamed sessions to keep.' --keep
            __llamacli_offer '' 'Give up if stdin sends nothing for this long.' --stdin-timeout
            __llamacli_offer '' 'Read bytes that are not UTF-8 as U+FFFD.' --lossy
            __llamacli_offer '' 'Model to use.' -m --model
            __llamacli_offer '' 'Maximum answer length in tokens.' --max-tokens
            __llamacli_offer '' 'Sampling temperature.' -t --temperature
            __llamacli_offer '' 'Nucleus sampling: probability mass.' --top-p
            __llamacli_offer '' 'Consider only the N likeliest tokens.' --top-k
            __llamacli_offer '' 'Drop tokens below this fraction of the top probability.' --min-p
            __llamacli_offer '' 'Number of answers.' -n --n
            __llamacli_offer 1 'Stop sequence, up to 4.' --stop
            __llamacli_offer '' 'Seed for reproducible sampling.' --seed
            __llamacli_offer '' 'Penalize tokens by frequency.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask shows them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer; ask --json: one chunk per line.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer '' 'Print the API\'s full response as JSON.' --json
            __llamacli_offer '' 'End each answer with a NUL byte instead of a newline.' -0 --null
            __llamacli_offer '' 'Exit 0 even if the answer was cut at the token limit.' --allow-truncated
            __llamacli_offer '' 'Answer file, replaced once it is complete.' -o --output
            __llamacli_offer 1 'Print exactly one of these values.' --choice
            __llamacli_offer '' 'Print yes or no; ask and chat exit 0 or 1.' --yes-no
            __llamacli_offer '' 'Print JSON that fits this schema, or @FILE.' --schema
            __llamacli_offer '' 'Number of times to ask again if an answer does not fit.' --fit-retries
            __llamacli_offer '' 'Print only the first fenced code block.' -x --extract
            __llamacli_offer '' 'Keep <think>...</think> at the start of an answer.' --keep-thinking
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show tokens, cost and timings on stderr.' -u --usage
            __llamacli_offer '' 'Do the opposite of --usage.' --no-usage
            __llamacli_offer '' 'Render Markdown if stdout is a terminal.' --markdown
            __llamacli_offer '' 'Do the opposite of --markdown.' --no-markdown
            __llamacli_offer '' 'Show the model\'s reasoning on stderr.' --reasoning
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'API base URL.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Allow sending the key unencrypted to other hosts.' --allow-http
            __llamacli_offer '' 'Longest silence (default 120; 600 if not streaming).' --timeout
            __llamacli_offer '' 'Maximum time to connect.' --connect-timeout
            __llamacli_offer '' 'Maximum time for the whole call.' --max-time
            __llamacli_offer '' 'Number of retries after a temporary failure.' --retry
            __llamacli_offer '' 'Stop retrying after this long.' --retry-max-time
            __llamacli_offer 1 'Add a request header.' -H --header
            __llamacli_offer '' 'X-Client-Request-Id to send instead of a new UUID.' --request-id
            __llamacli_offer '' 'CA certificates (default: $SSL_CERT_FILE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Append a JSON line for each request to this file.' --usage-log
            __llamacli_offer 1 'Model to ask after 404, 429 or 5xx.' --fallback-model
            __llamacli_offer '' 'Reuse stored answers up to this age.' --cache
            __llamacli_offer '' 'Ask again and replace the stored answer.' --refresh
            __llamacli_offer '' 'Use stored answers only.' --offline
            __llamacli_offer '' 'Age at which stored answers are removed (90d).' --cache-keep
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case chat
            __llamacli_offer '' 'Continue the last conversation of this terminal.' -c --continue
            __llamacli_offer '' 'Save the conversation (ask: the default on a terminal).' --save
            __llamacli_offer '' 'Do the opposite of --save.' --no-save
            __llamacli_offer '' 'Number of unnamed sessions to keep.' --keep
            __llamacli_offer '' 'Continue this session, or start it.' -S --session
            __llamacli_offer '' 'Take the first turn, then continue at the terminal.' -i --interactive
            __llamacli_offer '' 'Send the system message and only this many earlier turns.' --keep-turns
            __llamacli_offer 1 'Answer a tool call of the last turn.' --tool-result
            __llamacli_offer '' 'System message; TEXT or @FILE.' -s --system
            __llamacli_offer '' 'System message from roles/NAME.md in the config folder.' -r --role
            __llamacli_offer '' 'Prompt and settings from a file, or from prompts/NAME.md.' -P --prompt-file
            __llamacli_offer 1 'Set a variable of the prompt file; VALUE or @FILE.' -V --var
            __llamacli_offer '' 'Messages to put before the prompt; JSON or @FILE.' --messages
            __llamacli_offer 1 'Append a file or picture to the prompt.' -f --file
            __llamacli_offer '' 'Append every file listed in FILE; - for stdin.' --files-from
            __llamacli_offer '' 'Write the prompt in $VISUAL or $EDITOR.' -e --edit
            __llamacli_offer '' 'Do not read stdin.' -I --no-stdin --ignore-stdin
            __llamacli_offer '' 'Give up if stdin sends nothing for this long.' --stdin-timeout
            __llamacli_offer '' 'Read bytes that are not UTF-8 as U+FFFD.' --lossy
            __llamacli_offer '' 'Model to use.' -m --model
            __llamacli_offer '' 'Maximum answer length in tokens.' --max-tokens
            __llamacli_offer '' 'Sampling temperature.' -t --temperature
            __llamacli_offer '' 'Nucleus sampling: probability mass.' --top-p
            __llamacli_offer '' 'Consider only the N likeliest tokens.' --top-k
            __llamacli_offer '' 'Drop tokens below this fraction of the top probability.' --min-p
            __llamacli_offer '' 'Number of answers.' -n --n
            __llamacli_offer 1 'Stop sequence, up to 4.' --stop
            __llamacli_offer '' 'Seed for reproducible sampling.' --seed
            __llamacli_offer '' 'Penalize tokens by frequency.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask shows them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer; ask --json: one chunk per line.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer '' 'Print the API\'s full response as JSON.' --json
            __llamacli_offer '' 'End each answer with a NUL byte instead of a newline.' -0 --null
            __llamacli_offer '' 'Exit 0 even if the answer was cut at the token limit.' --allow-truncated
            __llamacli_offer '' 'Answer file, replaced once it is complete.' -o --output
            __llamacli_offer 1 'Print exactly one of these values.' --choice
            __llamacli_offer '' 'Print yes or no; ask and chat exit 0 or 1.' --yes-no
            __llamacli_offer '' 'Print JSON that fits this schema, or @FILE.' --schema
            __llamacli_offer '' 'Number of times to ask again if an answer does not fit.' --fit-retries
            __llamacli_offer '' 'Print only the first fenced code block.' -x --extract
            __llamacli_offer '' 'Keep <think>...</think> at the start of an answer.' --keep-thinking
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show tokens, cost and timings on stderr.' -u --usage
            __llamacli_offer '' 'Do the opposite of --usage.' --no-usage
            __llamacli_offer '' 'Render Markdown if stdout is a terminal.' --markdown
            __llamacli_offer '' 'Do the opposite of --markdown.' --no-markdown
            __llamacli_offer '' 'Show the model\'s reasoning on stderr.' --reasoning
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'API base URL.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Allow sending the key unencrypted to other hosts.' --allow-http
            __llamacli_offer '' 'Longest silence (default 120; 600 if not streaming).' --timeout
            __llamacli_offer '' 'Maximum time to connect.' --connect-timeout
            __llamacli_offer '' 'Maximum time for the whole call.' --max-time
            __llamacli_offer '' 'Number of retries after a temporary failure.' --retry
            __llamacli_offer '' 'Stop retrying after this long.' --retry-max-time
            __llamacli_offer 1 'Add a request header.' -H --header
            __llamacli_offer '' 'X-Client-Request-Id to send instead of a new UUID.' --request-id
            __llamacli_offer '' 'CA certificates (default: $SSL_CERT_FILE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Append a JSON line for each request to this file.' --usage-log
            __llamacli_offer 1 'Model to ask after 404, 429 or 5xx.' --fallback-model
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case raw
            __llamacli_offer '' 'Give up if stdin sends nothing for this long.' --stdin-timeout
            __llamacli_offer 1 'Set a key of the body; VALUE is JSON, @FILE or text.' -F --field
            __llamacli_offer '' 'Path under the base URL, or //PATH from the root.' --endpoint
            __llamacli_offer '' 'HTTP method (default POST; GET without a body).' -X --method
            __llamacli_offer '' 'Print status line and headers first.' -i --include
            __llamacli_offer '' 'Print a stream as received, not the data of its events.' --sse
            __llamacli_offer '' 'Answer file, replaced once it is complete.' -o --output
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'API base URL.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Allow sending the key unencrypted to other hosts.' --allow-http
            __llamacli_offer '' 'Longest silence (default 120; 600 if not streaming).' --timeout
            __llamacli_offer '' 'Maximum time to connect.' --connect-timeout
            __llamacli_offer '' 'Maximum time for the whole call.' --max-time
            __llamacli_offer '' 'Number of retries after a temporary failure.' --retry
            __llamacli_offer '' 'Stop retrying after this long.' --retry-max-time
            __llamacli_offer 1 'Add a request header.' -H --header
            __llamacli_offer '' 'X-Client-Request-Id to send instead of a new UUID.' --request-id
            __llamacli_offer '' 'CA certificates (default: $SSL_CERT_FILE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Append a JSON line for each request to this file.' --usage-log
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case batch
            __llamacli_offer '' 'Input format (default: by file name, or lines).' --input
            __llamacli_offer '' 'Take only the first N items.' --limit
            __llamacli_offer '' 'System message; TEXT or @FILE.' -s --system
            __llamacli_offer '' 'System message from roles/NAME.md in the config folder.' -r --role
            __llamacli_offer '' 'Prompt and settings from a file, or from prompts/NAME.md.' -P --prompt-file
            __llamacli_offer 1 'Set a variable of the prompt file; VALUE or @FILE.' -V --var
            __llamacli_offer '' 'Messages to put before the prompt; JSON or @FILE.' --messages
            __llamacli_offer 1 'Append a file or picture to the prompt.' -f --file
            __llamacli_offer '' 'Append every file listed in FILE; - for stdin.' --files-from
            __llamacli_offer '' 'Give up if stdin sends nothing for this long.' --stdin-timeout
            __llamacli_offer '' 'Read bytes that are not UTF-8 as U+FFFD.' --lossy
            __llamacli_offer '' 'Model to use.' -m --model
            __llamacli_offer '' 'Maximum answer length in tokens.' --max-tokens
            __llamacli_offer '' 'Sampling temperature.' -t --temperature
            __llamacli_offer '' 'Nucleus sampling: probability mass.' --top-p
            __llamacli_offer '' 'Consider only the N likeliest tokens.' --top-k
            __llamacli_offer '' 'Drop tokens below this fraction of the top probability.' --min-p
            __llamacli_offer '' 'Number of answers.' -n --n
            __llamacli_offer 1 'Stop sequence, up to 4.' --stop
            __llamacli_offer '' 'Seed for reproducible sampling.' --seed
            __llamacli_offer '' 'Penalize tokens by frequency.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask shows them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer; ask --json: one chunk per line.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer 1 'Print exactly one of these values.' --choice
            __llamacli_offer '' 'Print yes or no; ask and chat exit 0 or 1.' --yes-no
            __llamacli_offer '' 'Print JSON that fits this schema, or @FILE.' --schema
            __llamacli_offer '' 'Number of times to ask again if an answer does not fit.' --fit-retries
            __llamacli_offer '' 'Print only the first fenced code block.' -x --extract
            __llamacli_offer '' 'Keep <think>...</think> at the start of an answer.' --keep-thinking
            __llamacli_offer '' 'Append each row to FILE; sort it at the end.' -o --output
            __llamacli_offer '' 'Ask only for what FILE lacks or what may succeed now.' --resume
            __llamacli_offer '' 'Like --resume, but ask again for everything that failed.' --retry-failed
            __llamacli_offer '' 'Print only the answers; a failed item prints an empty line.' --plain
            __llamacli_offer '' 'End each answer with a NUL byte instead of a newline.' -0 --null
            __llamacli_offer '' 'Print rows as they arrive, not in input order.' --unordered
            __llamacli_offer '' 'Accept answers that were cut at the token limit.' --allow-truncated
            __llamacli_offer '' 'Write each answer to a file, as in \'{dir}/{stem}.de.md\'.' --write
            __llamacli_offer '' 'Replace each file by its answer; keep NAME+SUFFIX.' --in-place
            __llamacli_offer '' 'Print the changes as unified diffs; write nothing.' --diff
            __llamacli_offer '' 'Maximum parallel calls.' -j --jobs
            __llamacli_offer '' 'Maximum calls started per minute.' --rpm
            __llamacli_offer '' 'Budget: start no more calls once it is spent.' --max-cost
            __llamacli_offer '' 'Start no more calls after the first failure.' --fail-fast
            __llamacli_offer '' 'Take every N-th item, beginning with the I-th.' --shard
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'API base URL.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Allow sending the key unencrypted to other hosts.' --allow-http
            __llamacli_offer '' 'Longest silence (default 120; 600 if not streaming).' --timeout
            __llamacli_offer '' 'Maximum time to connect.' --connect-timeout
            __llamacli_offer '' 'Maximum time for the whole call.' --max-time
            __llamacli_offer '' 'Number of retries after a temporary failure.' --retry
            __llamacli_offer '' 'Stop retrying after this long.' --retry-max-time
            __llamacli_offer 1 'Add a request header.' -H --header
            __llamacli_offer '' 'X-Client-Request-Id to send instead of a new UUID.' --request-id
            __llamacli_offer '' 'CA certificates (default: $SSL_CERT_FILE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Append a JSON line for each request to this file.' --usage-log
            __llamacli_offer 1 'Model to ask after 404, 429 or 5xx.' --fallback-model
            __llamacli_offer '' 'Reuse stored answers up to this age.' --cache
            __llamacli_offer '' 'Ask again and replace the stored answer.' --refresh
            __llamacli_offer '' 'Use stored answers only.' --offline
            __llamacli_offer '' 'Age at which stored answers are removed (90d).' --cache-keep
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case models
            __llamacli_offer '' 'Include models that are not for chat.' -a --all
            __llamacli_offer '' 'Print the API\'s response as JSON, filtered.' --json
            __llamacli_offer '' 'Answer file, replaced once it is complete.' -o --output
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'API base URL.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Allow sending the key unencrypted to other hosts.' --allow-http
            __llamacli_offer '' 'Longest silence (default 120; 600 if not streaming).' --timeout
            __llamacli_offer '' 'Maximum time to connect.' --connect-timeout
            __llamacli_offer '' 'Maximum time for the whole call.' --max-time
            __llamacli_offer '' 'Number of retries after a temporary failure.' --retry
            __llamacli_offer '' 'Stop retrying after this long.' --retry-max-time
            __llamacli_offer 1 'Add a request header.' -H --header
            __llamacli_offer '' 'X-Client-Request-Id to send instead of a new UUID.' --request-id
            __llamacli_offer '' 'CA certificates (default: $SSL_CERT_FILE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Append a JSON line for each request to this file.' --usage-log
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case sessions
            __llamacli_offer '' 'With show: print the messages as JSON, for raw.' --json
            __llamacli_offer '' 'With rm: sessions last used this long ago.' --older-than
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case config
            __llamacli_offer '' 'With show: include settings that have their default.' -a --all
            __llamacli_offer '' 'Model to use.' -m --model
            __llamacli_offer '' 'Maximum answer length in tokens.' --max-tokens
            __llamacli_offer '' 'Sampling temperature.' -t --temperature
            __llamacli_offer '' 'Nucleus sampling: probability mass.' --top-p
            __llamacli_offer '' 'Consider only the N likeliest tokens.' --top-k
            __llamacli_offer '' 'Drop tokens below this fraction of the top probability.' --min-p
            __llamacli_offer '' 'Number of answers.' -n --n
            __llamacli_offer 1 'Stop sequence, up to 4.' --stop
            __llamacli_offer '' 'Seed for reproducible sampling.' --seed
            __llamacli_offer '' 'Penalize tokens by frequency.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask shows them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer; ask --json: one chunk per line.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer '' 'Show tokens, cost and timings on stderr.' -u --usage
            __llamacli_offer '' 'Do the opposite of --usage.' --no-usage
            __llamacli_offer '' 'Render Markdown if stdout is a terminal.' --markdown
            __llamacli_offer '' 'Do the opposite of --markdown.' --no-markdown
            __llamacli_offer '' 'Show the model\'s reasoning on stderr.' --reasoning
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'API base URL.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Allow sending the key unencrypted to other hosts.' --allow-http
            __llamacli_offer '' 'Longest silence (default 120; 600 if not streaming).' --timeout
            __llamacli_offer '' 'Maximum time to connect.' --connect-timeout
            __llamacli_offer '' 'Maximum time for the whole call.' --max-time
            __llamacli_offer '' 'Number of retries after a temporary failure.' --retry
            __llamacli_offer '' 'Stop retrying after this long.' --retry-max-time
            __llamacli_offer 1 'Add a request header.' -H --header
            __llamacli_offer '' 'X-Client-Request-Id to send instead of a new UUID.' --request-id
            __llamacli_offer '' 'CA certificates (default: $SSL_CERT_FILE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Append a JSON line for each request to this file.' --usage-log
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case usage
            __llamacli_offer '' 'Print JSON.' --json
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case completion
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case man
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case help
            __llamacli_offer '' 'Show only errors, no notes or warnings.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers (without the key), IDs and timings.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Disable color, as NO_COLOR and TERM=dumb do.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print all options; -h prints the most used.' -h --help
            __llamacli_offer '' 'Print the version.' --version
    end
end

function __llamacli_commands
    printf '%s\t%s\n' ask 'Ask one question and print the answer.'
    printf '%s\t%s\n' chat 'Hold a conversation.'
    printf '%s\t%s\n' raw 'Send a JSON body and print the API\'s JSON.'
    printf '%s\t%s\n' batch 'Ask one question for each line, record or file, in parallel.'
    printf '%s\t%s\n' models 'List the models that the server offers.'
    printf '%s\t%s\n' sessions 'List, show or remove saved conversations.'
    printf '%s\t%s\n' config 'Show or change settings, store a key, try the connection.'
    printf '%s\t%s\n' usage 'Sum up a usage log by day and model.'
    printf '%s\t%s\n' completion 'Print the completion of a shell: bash, zsh or fish.'
    printf '%s\t%s\n' man 'Print the man page.'
    printf '%s\t%s\n' help 'Print help on a command or a topic.'
end

# Prints the sort and the fixed words of what may stand at this place among the operands.
function __llamacli_operand --no-scope-shadowing
    switch $command:$place
        case 'ask:*'
            printf '%s\n' text
        case 'chat:*'
            printf '%s\n' text
        case 'raw:1'
            printf '%s\n' @
        case 'batch:1'
            printf '%s\n' text
        case 'batch:*'
            printf '%s\n' file
        case 'models:1'
            printf '%s\n' text
        case 'sessions:1'
            printf '%s\n' text list show last grep rm
        case 'sessions:*'
            printf '%s\n' session
        case 'config:1'
            printf '%s\n' text show set unset set-key check
        case 'config:2'
            printf '%s\n' text
        case 'config:*'
            printf '%s\n' text
        case 'usage:1'
            printf '%s\n' file
        case 'completion:1'
            printf '%s\n' text bash zsh fish
        case 'help:1'
            printf '%s\n' text ask chat raw batch models sessions config usage completion man help batch cache chat environment exit-codes files keys reasoning retries servers structured usage-log
    end
end

# Prints the names of one sort, which are files of a folder, or lines of a file.
function __llamacli_listed
    switch $argv[1]
        case model
            set -l folder $XDG_CACHE_HOME
            string match -q '/*' -- "$folder"; or set folder "$HOME/.cache"
            if test -r $folder/llamacli/models; and test -f $folder/llamacli/models
                string match -rv '[[:cntrl:]]' <$folder/llamacli/models
            end
        case role
            set -l folder $XDG_CONFIG_HOME
            string match -q '/*' -- "$folder"; or set folder "$HOME/.config"
            set -l paths $folder/llamacli/roles/$argv[2]*.md
            set -q paths[1]; or set paths $folder/llamacli/roles/*.md
            set -q paths[1]; and string replace -rf '.*/([^[:cntrl:]]*)\.md$' '$1' -- $paths
        case prompt
            set -l folder $XDG_CONFIG_HOME
            string match -q '/*' -- "$folder"; or set folder "$HOME/.config"
            set -l paths $folder/llamacli/prompts/$argv[2]*.md
            set -q paths[1]; or set paths $folder/llamacli/prompts/*.md
            set -q paths[1]; and string replace -rf '.*/([^[:cntrl:]]*)\.md$' '$1' -- $paths
        case session
            set -l folder $XDG_STATE_HOME
            string match -q '/*' -- "$folder"; or set folder "$HOME/.local/state"
            set -l paths $folder/llamacli/sessions/$argv[2]*.jsonl
            set -q paths[1]; or set paths $folder/llamacli/sessions/*.jsonl
            set -q paths[1]; and string replace -rf '.*/([^[:cntrl:]]*)\.jsonl$' '$1' -- $paths
    end
end

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
