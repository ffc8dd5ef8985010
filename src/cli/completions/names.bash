
# The names of agents and groups, where a command takes them; the rest as above.
_swarm_names() {
    local program="${COMP_WORDS[0]}" word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}"
    local verb="${COMP_WORDS[1]}" at=$COMP_CWORD wanted="" groups="" list="" name from=who
    # @ ends a word for bash.
    if [[ $word == @ ]]; then
        groups=1 word=""
    elif [[ $before == @ ]]; then
        groups=1 at=$((COMP_CWORD - 1)) before="${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    case "$before" in
        --to | --also | --idle | --agent) wanted=1 ;;
        *)
            case "$verb" in
                send | jump | explain) [[ $at -eq 2 ]] && wanted=1 ;;
                name | onboard | end) [[ $at -ge 2 ]] && wanted=1 ;;
                resume) [[ $at -ge 2 ]] && wanted=1 from=resume ;;
                group | handover) [[ $at -ge 3 ]] && wanted=1 ;;
            esac
            ;;
    esac
    if [[ -z $wanted || $word == -* ]]; then
        if [[ $program == *swarm-msg ]]; then _swarmmsg "$@"; else _swarm "$@"; fi
        return
    fi
    # Of several names the last one is being written.
    [[ $word == *,* ]] && list="${word%,*},"
    COMPREPLY=()
    while IFS= read -r name; do
        if [[ -n $groups ]]; then
            [[ $name == @* ]] || continue
            name="${name#@}"
        fi
        [[ $list$name == "$word"* ]] && COMPREPLY+=("$list$name")
    done < <("$program" "$from" --names 2>/dev/null)
}
complete -F _swarm_names -o bashdefault -o default swarm swarm-msg
