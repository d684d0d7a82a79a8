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
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case chat
            switch $argv[1]
                case -S --session
                    set forms -S --session
                    set value session
                case -c --continue
                    set forms -c --continue
                case -i --interactive
                    set forms -i --interactive
                case --no-save
                    set forms --no-save
                case --keep-turns
                    set forms --keep-turns
                    set value text
                case -s --system
                    set forms -s --system
                    set value @
                case -r --role
                    set forms -r --role
                    set value role
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
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
                case -h --help
                    set forms -h --help
                case --version
                    set forms --version
            end
        case raw
            switch $argv[1]
                case -F --field
                    set forms -F --field
                    set value field
                case --endpoint
                    set forms --endpoint
                    set value text
                case -X --method
                    set forms -X --method
                    set value text GET POST PUT PATCH DELETE
                case -H --header
                    set forms -H --header
                    set value text
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
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
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
                    set value text lines jsonl csv tsv
                case -s --system
                    set forms -s --system
                    set value @
                case -r --role
                    set forms -r --role
                    set value role
                case --messages
                    set forms --messages
                    set value @
                case -f --file
                    set forms -f --file
                    set value file
                case --files-from
                    set forms --files-from
                    set value file
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
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
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
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
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
                case --request-id
                    set forms --request-id
                    set value text
                case --ca-bundle
                    set forms --ca-bundle
                    set value file
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
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case ask
            __llamacli_offer '' 'System message; TEXT or @FILE.' -s --system
            __llamacli_offer '' 'System message from roles/NAME.md in the config folder.' -r --role
            __llamacli_offer '' 'Messages to put before the prompt; JSON or @FILE.' --messages
            __llamacli_offer 1 'Append a file or picture to the prompt.' -f --file
            __llamacli_offer '' 'Append every file listed in FILE; - for stdin.' --files-from
            __llamacli_offer '' 'Write the prompt in $VISUAL or $EDITOR.' -e --edit
            __llamacli_offer '' 'Do not read stdin.' -I --no-stdin --ignore-stdin
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
            __llamacli_offer '' 'Penalize tokens by their frequency so far.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have already appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask and chat show them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer (default for text); --json: a line a chunk.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer '' 'Print the API\'s full response as JSON.' --json
            __llamacli_offer '' 'End each answer with a NUL byte in place of the newline.' -0 --null
            __llamacli_offer '' 'End with 0 where the token limit cut the answer.' --allow-truncated
            __llamacli_offer '' 'Write the answer to this file, which is replaced when it is complete.' -o --output
            __llamacli_offer 1 'Print exactly one of these (repeat for values with commas).' --choice
            __llamacli_offer '' 'Print yes or no; ask and chat exit 0 or 1.' --yes-no
            __llamacli_offer '' 'Print JSON of this schema: JSON, @FILE or \'name, age int\'.' --schema
            __llamacli_offer '' 'Number of times to ask again if an answer does not fit.' --fit-retries
            __llamacli_offer '' 'Print only the first fenced code block.' -x --extract
            __llamacli_offer '' 'Keep <think>...</think> at the start of an answer.' --keep-thinking
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show tokens, cost and timings on stderr.' -u --usage
            __llamacli_offer '' 'Do the opposite of --usage.' --no-usage
            __llamacli_offer '' 'Render the answer as Markdown on a terminal.' --markdown
            __llamacli_offer '' 'Do the opposite of --markdown.' --no-markdown
            __llamacli_offer '' 'Show the model\'s reasoning on stderr.' --reasoning
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Call this server.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Send the key over plain http to other hosts than this one.' --allow-http
            __llamacli_offer '' 'Allow the server this long a silence (default 120 while streaming, else 600).' --timeout
            __llamacli_offer '' 'Allow this long for connecting.' --connect-timeout
            __llamacli_offer '' 'Allow this long for the whole call.' --max-time
            __llamacli_offer '' 'Try again this often after a failure that may pass.' --retry
            __llamacli_offer '' 'Start no try after this long.' --retry-max-time
            __llamacli_offer '' 'Send this X-Client-Request-Id in place of a new UUID.' --request-id
            __llamacli_offer '' 'Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case chat
            __llamacli_offer '' 'Go on with this session, or begin it.' -S --session
            __llamacli_offer '' 'Go on with the last session of this login session.' -c --continue
            __llamacli_offer '' 'Take a first turn from PROMPT and stdin, and then go on at the terminal.' -i --interactive
            __llamacli_offer '' 'Write nothing down.' --no-save
            __llamacli_offer '' 'Send only the system message and this many earlier turns.' --keep-turns
            __llamacli_offer '' 'System message; TEXT or @FILE.' -s --system
            __llamacli_offer '' 'System message from roles/NAME.md in the config folder.' -r --role
            __llamacli_offer '' 'Messages to put before the prompt; JSON or @FILE.' --messages
            __llamacli_offer 1 'Append a file or picture to the prompt.' -f --file
            __llamacli_offer '' 'Append every file listed in FILE; - for stdin.' --files-from
            __llamacli_offer '' 'Write the prompt in $VISUAL or $EDITOR.' -e --edit
            __llamacli_offer '' 'Do not read stdin.' -I --no-stdin --ignore-stdin
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
            __llamacli_offer '' 'Penalize tokens by their frequency so far.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have already appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask and chat show them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer (default for text); --json: a line a chunk.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer '' 'Print the API\'s full response as JSON.' --json
            __llamacli_offer '' 'End each answer with a NUL byte in place of the newline.' -0 --null
            __llamacli_offer '' 'End with 0 where the token limit cut the answer.' --allow-truncated
            __llamacli_offer '' 'Write the answer to this file, which is replaced when it is complete.' -o --output
            __llamacli_offer 1 'Print exactly one of these (repeat for values with commas).' --choice
            __llamacli_offer '' 'Print yes or no; ask and chat exit 0 or 1.' --yes-no
            __llamacli_offer '' 'Print JSON of this schema: JSON, @FILE or \'name, age int\'.' --schema
            __llamacli_offer '' 'Number of times to ask again if an answer does not fit.' --fit-retries
            __llamacli_offer '' 'Print only the first fenced code block.' -x --extract
            __llamacli_offer '' 'Keep <think>...</think> at the start of an answer.' --keep-thinking
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show tokens, cost and timings on stderr.' -u --usage
            __llamacli_offer '' 'Do the opposite of --usage.' --no-usage
            __llamacli_offer '' 'Render the answer as Markdown on a terminal.' --markdown
            __llamacli_offer '' 'Do the opposite of --markdown.' --no-markdown
            __llamacli_offer '' 'Show the model\'s reasoning on stderr.' --reasoning
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Call this server.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Send the key over plain http to other hosts than this one.' --allow-http
            __llamacli_offer '' 'Allow the server this long a silence (default 120 while streaming, else 600).' --timeout
            __llamacli_offer '' 'Allow this long for connecting.' --connect-timeout
            __llamacli_offer '' 'Allow this long for the whole call.' --max-time
            __llamacli_offer '' 'Try again this often after a failure that may pass.' --retry
            __llamacli_offer '' 'Start no try after this long.' --retry-max-time
            __llamacli_offer '' 'Send this X-Client-Request-Id in place of a new UUID.' --request-id
            __llamacli_offer '' 'Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case raw
            __llamacli_offer 1 'Set a key of the body: true, false, null, a number, @FILE or text.' -F --field
            __llamacli_offer '' 'Call this path under the base URL, from the host\'s root after // (default /chat/completions).' --endpoint
            __llamacli_offer '' 'Use this method (default POST, or GET where an endpoint is named and there is no body).' -X --method
            __llamacli_offer 1 'Add this header.' -H --header
            __llamacli_offer '' 'Print the response\'s status and headers first.' -i --include
            __llamacli_offer '' 'Print a stream as it was received, in place of each event\'s data as a line.' --sse
            __llamacli_offer '' 'Write the answer to this file, which is replaced when it is complete.' -o --output
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Call this server.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Send the key over plain http to other hosts than this one.' --allow-http
            __llamacli_offer '' 'Allow the server this long a silence (default 120 while streaming, else 600).' --timeout
            __llamacli_offer '' 'Allow this long for connecting.' --connect-timeout
            __llamacli_offer '' 'Allow this long for the whole call.' --max-time
            __llamacli_offer '' 'Try again this often after a failure that may pass.' --retry
            __llamacli_offer '' 'Start no try after this long.' --retry-max-time
            __llamacli_offer '' 'Send this X-Client-Request-Id in place of a new UUID.' --request-id
            __llamacli_offer '' 'Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case batch
            __llamacli_offer '' 'Read this form (default: by file name, or lines).' --input
            __llamacli_offer '' 'System message; TEXT or @FILE.' -s --system
            __llamacli_offer '' 'System message from roles/NAME.md in the config folder.' -r --role
            __llamacli_offer '' 'Messages to put before the prompt; JSON or @FILE.' --messages
            __llamacli_offer 1 'Append a file or picture to the prompt.' -f --file
            __llamacli_offer '' 'Append every file listed in FILE; - for stdin.' --files-from
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
            __llamacli_offer '' 'Penalize tokens by their frequency so far.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have already appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask and chat show them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer (default for text); --json: a line a chunk.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer 1 'Print exactly one of these (repeat for values with commas).' --choice
            __llamacli_offer '' 'Print yes or no; ask and chat exit 0 or 1.' --yes-no
            __llamacli_offer '' 'Print JSON of this schema: JSON, @FILE or \'name, age int\'.' --schema
            __llamacli_offer '' 'Number of times to ask again if an answer does not fit.' --fit-retries
            __llamacli_offer '' 'Print only the first fenced code block.' -x --extract
            __llamacli_offer '' 'Keep <think>...</think> at the start of an answer.' --keep-thinking
            __llamacli_offer '' 'Write each row to this file as it comes, and put it in order at the end.' -o --output
            __llamacli_offer '' 'Keep what is done in that file, and ask only for the rest.' --resume
            __llamacli_offer '' 'Resume, and ask again for everything that failed.' --retry-failed
            __llamacli_offer '' 'Print only the contents, an empty one for a failed item.' --plain
            __llamacli_offer '' 'End each content with a NUL byte in place of the newline.' -0 --null
            __llamacli_offer '' 'Print rows as they come, not in the order of the input.' --unordered
            __llamacli_offer '' 'Count an answer that the token limit cut as whole, one that --resume finds too.' --allow-truncated
            __llamacli_offer '' 'Have this many calls in flight at most.' -j --jobs
            __llamacli_offer '' 'Start at most this many calls a minute.' --rpm
            __llamacli_offer '' 'Start nothing more once this much is spent.' --max-cost
            __llamacli_offer '' 'Start nothing more after the first failure.' --fail-fast
            __llamacli_offer '' 'Take every N-th item from the I-th on: this machine\'s share.' --shard
            __llamacli_offer '' 'Print the JSON body and send nothing.' --dry-run
            __llamacli_offer '' 'Print the call as a curl command and send nothing.' --curl
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Call this server.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Send the key over plain http to other hosts than this one.' --allow-http
            __llamacli_offer '' 'Allow the server this long a silence (default 120 while streaming, else 600).' --timeout
            __llamacli_offer '' 'Allow this long for connecting.' --connect-timeout
            __llamacli_offer '' 'Allow this long for the whole call.' --max-time
            __llamacli_offer '' 'Try again this often after a failure that may pass.' --retry
            __llamacli_offer '' 'Start no try after this long.' --retry-max-time
            __llamacli_offer '' 'Send this X-Client-Request-Id in place of a new UUID.' --request-id
            __llamacli_offer '' 'Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case models
            __llamacli_offer '' 'List the models that are not for chat too.' -a --all
            __llamacli_offer '' 'Print the API\'s response as JSON, with the models that are asked for.' --json
            __llamacli_offer '' 'Write the answer to this file, which is replaced when it is complete.' -o --output
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Call this server.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Send the key over plain http to other hosts than this one.' --allow-http
            __llamacli_offer '' 'Allow the server this long a silence (default 120 while streaming, else 600).' --timeout
            __llamacli_offer '' 'Allow this long for connecting.' --connect-timeout
            __llamacli_offer '' 'Allow this long for the whole call.' --max-time
            __llamacli_offer '' 'Try again this often after a failure that may pass.' --retry
            __llamacli_offer '' 'Start no try after this long.' --retry-max-time
            __llamacli_offer '' 'Send this X-Client-Request-Id in place of a new UUID.' --request-id
            __llamacli_offer '' 'Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case sessions
            __llamacli_offer '' 'Print the messages of `show` as a JSON array, as `raw` takes them.' --json
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case config
            __llamacli_offer '' 'Model to use.' -m --model
            __llamacli_offer '' 'Maximum answer length in tokens.' --max-tokens
            __llamacli_offer '' 'Sampling temperature.' -t --temperature
            __llamacli_offer '' 'Nucleus sampling: probability mass.' --top-p
            __llamacli_offer '' 'Consider only the N likeliest tokens.' --top-k
            __llamacli_offer '' 'Drop tokens below this fraction of the top probability.' --min-p
            __llamacli_offer '' 'Number of answers.' -n --n
            __llamacli_offer 1 'Stop sequence, up to 4.' --stop
            __llamacli_offer '' 'Seed for reproducible sampling.' --seed
            __llamacli_offer '' 'Penalize tokens by their frequency so far.' --frequency-penalty
            __llamacli_offer '' 'Penalize tokens that have already appeared.' --presence-penalty
            __llamacli_offer '' 'Repetition penalty factor.' --repetition-penalty
            __llamacli_offer 1 'Make a token more or less likely.' --logit-bias
            __llamacli_offer '' 'Return log probabilities; ask and chat show them with --json.' --logprobs
            __llamacli_offer '' 'Do the opposite of --logprobs.' --no-logprobs
            __llamacli_offer '' 'Likeliest tokens to return per position; needs --logprobs.' --top-logprobs
            __llamacli_offer '' 'Tools the model may call; JSON or @FILE.' --tools
            __llamacli_offer '' 'Tool to call: a mode, a function, JSON or @FILE.' --tool-choice
            __llamacli_offer '' 'Allow several tool calls at once.' --parallel-tool-calls
            __llamacli_offer '' 'Do the opposite of --parallel-tool-calls.' --no-parallel-tool-calls
            __llamacli_offer '' 'Predicted output; TEXT or @FILE.' --prediction
            __llamacli_offer '' 'Include the prompt in the answer.' --echo
            __llamacli_offer '' 'Do the opposite of --echo.' --no-echo
            __llamacli_offer '' 'Stream the answer (default for text); --json: a line a chunk.' --stream
            __llamacli_offer '' 'Do the opposite of --stream.' --no-stream
            __llamacli_offer 1 'Set any request field, unchecked; VALUE is JSON or text.' -p --param
            __llamacli_offer '' 'Show tokens, cost and timings on stderr.' -u --usage
            __llamacli_offer '' 'Do the opposite of --usage.' --no-usage
            __llamacli_offer '' 'Render the answer as Markdown on a terminal.' --markdown
            __llamacli_offer '' 'Do the opposite of --markdown.' --no-markdown
            __llamacli_offer '' 'Show the model\'s reasoning on stderr.' --reasoning
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Call this server.' --base-url
            __llamacli_offer '' 'Read the key from this file.' --key-file
            __llamacli_offer '' 'Send no key.' --no-key
            __llamacli_offer '' 'Send the key over plain http to other hosts than this one.' --allow-http
            __llamacli_offer '' 'Allow the server this long a silence (default 120 while streaming, else 600).' --timeout
            __llamacli_offer '' 'Allow this long for connecting.' --connect-timeout
            __llamacli_offer '' 'Allow this long for the whole call.' --max-time
            __llamacli_offer '' 'Try again this often after a failure that may pass.' --retry
            __llamacli_offer '' 'Start no try after this long.' --retry-max-time
            __llamacli_offer '' 'Send this X-Client-Request-Id in place of a new UUID.' --request-id
            __llamacli_offer '' 'Trust these certificates (default: $REQUESTS_CA_BUNDLE, else certifi\'s).' --ca-bundle
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case completion
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case man
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
        case help
            __llamacli_offer '' 'Show no notes and warnings, only errors.' -q --quiet
            __llamacli_offer '' 'Do the opposite of --quiet.' --no-quiet
            __llamacli_offer '' 'Show headers, ids and timings on stderr, the key redacted.' -v --verbose
            __llamacli_offer '' 'Do the opposite of --verbose.' --no-verbose
            __llamacli_offer '' 'Use no colour (nor with NO_COLOR or TERM=dumb); --color undoes it.' --no-color
            __llamacli_offer '' 'Do the opposite of --no-color.' --color
            __llamacli_offer '' 'Print help; -h prints less of it.' -h --help
            __llamacli_offer '' 'Print the version.' --version
    end
end

function __llamacli_commands
    printf '%s\t%s\n' ask 'Ask one question and print the answer.'
    printf '%s\t%s\n' chat 'Hold a conversation.'
    printf '%s\t%s\n' raw 'Send a JSON body and print the API\'s JSON.'
    printf '%s\t%s\n' batch 'Ask one question for each line or record, in parallel.'
    printf '%s\t%s\n' models 'List the models that the server offers.'
    printf '%s\t%s\n' sessions 'List, show or remove saved conversations.'
    printf '%s\t%s\n' config 'Show the settings, store a key, try the connection.'
    printf '%s\t%s\n' completion 'Print the completion of a shell: bash, zsh or fish.'
    printf '%s\t%s\n' man 'Print the man page.'
    printf '%s\t%s\n' help 'Print help on a command, or on exit-codes, environment, files.'
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
            printf '%s\n' text list show rm
        case 'sessions:*'
            printf '%s\n' session
        case 'config:1'
            printf '%s\n' text show set-key check
        case 'completion:1'
            printf '%s\n' text bash zsh fish
        case 'help:1'
            printf '%s\n' text ask chat raw batch models sessions config completion man help exit-codes environment files
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
