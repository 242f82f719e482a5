# Completion for fish of depmod, insmod, kmod, lsmod, modinfo, modprobe and rmmod.
# `kmod complete` prints the candidates; paths are completed by the shell itself.

function __modutils_complete
    set -l current (commandline -ct)
    for line in (kmod complete -- (commandline -opc) "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :modules
                __fish_complete_path "$current" | string match -r -- '.*(?:/|\.ko(?:\.(?:gz|xz|zst))?)(?:\t.*)?$'
            case :directories
                __fish_complete_directories "$current"
            case '*'
                echo $line
        end
    end
end

for tool in depmod insmod kmod lsmod modinfo modprobe rmmod
    complete --command $tool --no-files --arguments '(__modutils_complete)'
end
