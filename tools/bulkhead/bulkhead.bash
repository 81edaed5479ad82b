# SPDX-License-Identifier: BSD-2-Clause
#
# Completion of the tool's command line in bash; `source` it, or lay it into
# /usr/share/bash-completion/completions as `bulkhead`.

_bulkhead() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' options i
    local commands="check build graph report labels machine schema"

    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ " $commands " != *" ${COMP_WORDS[i]} "* ]] || { command=${COMP_WORDS[i]}; break; }
    done
    case $command in
        check) options="--json --disk --artifacts --help" ;;
        build) options="--output --iso --artifacts --components --kernel --help" ;;
        graph) options="--output --artifacts --components --help" ;;
        report) options="--output --json --artifacts --components --help" ;;
        labels | machine) options="--artifacts --help" ;;
        *) options="--help" ;;
    esac
    # Arguments of options, and FILE, are names of files: bash's own completion, as `complete` says.
    COMPREPLY=()
    case $before in
        -o | --output | --disk | --kernel) ;;
        --artifacts | --components) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        *)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
            elif [ -z "$command" ]; then
                mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
            fi
            ;;
    esac
}
complete -o default -F _bulkhead bulkhead
