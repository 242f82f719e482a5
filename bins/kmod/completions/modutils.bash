# Completion for bash of depmod, insmod, kmod, lsmod, modinfo, modprobe and rmmod.
# `kmod complete` prints the candidates; paths are completed by the shell itself.

_modutils() {
    # Taken from the line itself, because COMP_WORDS is also split at = and :.
    local -a words
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    case ${COMP_LINE:0:COMP_POINT} in
        *[[:blank:]]) words+=('') ;;
    esac
    local current=${words[-1]} line
    # The part that bash keeps when it inserts a candidate: everything up to the last = or : of the word.
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
            :modules)
                compopt -o filenames 2>/dev/null
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
                    compgen -d -- "${current#"$kept"}"
                    compgen -f -- "${current#"$kept"}" | grep -E '\.ko(\.(gz|xz|zst))?$'
                )
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
