# Completion for bash of depmod, insmod, kmod, lsmod, modinfo, modprobe and rmmod.
# `kmod complete` knows what a word may become; only paths are the shell's.

_modutils() {
    # From the line as it is written: COMP_WORDS is split at = and : as well.
    local -a words
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    case ${COMP_LINE:0:COMP_POINT} in
        *[[:blank:]]) words+=('') ;;
    esac
    local current=${words[-1]} line
    # What bash leaves in place when it puts a candidate in: all up to the last = or : of the word.
    local kept=${current%"${current##*[=:]}"}
    [[ $COMP_WORDBREAKS == *=* ]] || kept=''

    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        case $line in
            :files)
                compopt -o filenames 2>/dev/null
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${current#"$kept"}")
                ;;
            :directories)
                compopt -o filenames 2>/dev/null
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${current#"$kept"}")
                ;;
            *)
                [[ $line != *= ]] || compopt -o nospace 2>/dev/null
                COMPREPLY+=("${line#"$kept"}")
                ;;
        esac
    done < <(kmod complete -- "${words[@]}" 2>/dev/null)
}

complete -F _modutils depmod insmod kmod lsmod modinfo modprobe rmmod
