
# The names of agents and groups, where a command takes them; the rest as above.
_swarm_names() {
    local wanted="" names from=who
    case "${words[CURRENT - 1]}" in
        --to | --also | --idle | --agent) wanted=1 ;;
        *)
            case "${words[2]}" in
                send | jump | explain) (( CURRENT == 3 )) && wanted=1 ;;
                name | onboard | end) (( CURRENT >= 3 )) && wanted=1 ;;
                resume) (( CURRENT >= 3 )) && wanted=1 from=resume ;;
                group | handover) (( CURRENT >= 4 )) && wanted=1 ;;
            esac
            ;;
    esac
    if [[ -z $wanted || ${words[CURRENT]} == -* ]]; then
        if [[ ${words[1]:t} == swarm-msg ]]; then _swarm-msg "$@"; else _swarm "$@"; fi
        return
    fi
    names=(${(f)"$(${words[1]} $from --names 2>/dev/null)"})
    # Of several names the last one is being written.
    compset -P '*,'
    compadd -- $names
}
(( $+functions[compdef] )) && compdef _swarm_names swarm swarm-msg
