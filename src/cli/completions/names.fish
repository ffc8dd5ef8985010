
# The names of agents and groups, where a command takes them.
function __swarm_names
    set -l words (commandline -opc)
    set -l list (string match -r '^.*,' -- (commandline -ct))
    set -l from who
    test "$words[2]" = resume; and set from resume
    for name in ($words[1] $from --names 2>/dev/null)
        echo "$list$name"
    end
end
function __swarm_takes_names
    set -l words (commandline -opc)
    set -l at (count $words)
    test $at -ge 2; or return 1
    if contains -- $words[-1] --to --also --idle --agent
        return 0
    end
    switch $words[2]
        case send jump explain
            test $at -eq 2
        case name onboard end resume
            test $at -ge 2
        case group handover
            test $at -ge 3
        case '*'
            return 1
    end
end
complete -c swarm -n __swarm_takes_names -f -a '(__swarm_names)'
complete -c swarm-msg -n __swarm_takes_names -f -a '(__swarm_names)'
