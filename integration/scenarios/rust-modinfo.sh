# modinfo on the companion modules, by file and by name: every field is what the source has.
# kernels: rust

# fields MODULE FIELD LINE…: these are all its lines, in this order.
# The compiler, which writes the sections, chooses the order of parameters: they are compared sorted.
fields() {
    subject=$1 field=$2
    shift 2
    : >expected
    for line in "$@"; do printf '%s\n' "$line" >>expected; done
    for argument in /companions/$subject.ko $subject; do
        expect_status 0 /sbin/modinfo -F $field $argument
        case $field in
            parm*) sort out >found ;;
            *) cp out found ;;
        esac
        expect_same found expected
    done
}

for name in hello square test_square proc verbose test_verbose gadget permanent; do
    fields $name license GPL
    fields $name name $name
    fields $name vermagic "$(uname -r) preempt mod_unload modversions "
    expect_output "/lib/modules/$(uname -r)/extra/$name.ko" /sbin/modinfo -n $name
    expect_output "/companions/$name.ko" /sbin/modinfo -n /companions/$name.ko
done

fields hello author "The modutils authors"
fields hello description "Says hello and goodbye"
fields hello alias greeter "modutils:hello-*"
fields hello depends ""
fields hello parmtype io:ulong msg:charp ret:int
fields hello parm "io:A number from 0 to 5 (ulong)" "msg:What to say hello to (charp)" "ret:What init returns (int)"
fields hello softdep
expect_output "/hello.ko" /sbin/modinfo -n greeter
expect_output "/hello.ko" /sbin/modinfo -n modutils:hello-there

fields square description "Exports square()"
fields test_square depends square
fields test_verbose depends verbose
fields verbose depends ""
fields proc description "Has a file in /proc"

fields gadget author "The modutils authors" "A Second Author"
fields gadget alias "pci:v00008086d00007000sv*sd*bc*sc*i*" "of:N*T*Cmodutils,gadgetC*" "of:N*T*Cmodutils,gadget"
fields gadget softdep "pre: square post: verbose"
fields permanent description "Has no exit function"

# Everything at once, in the columns that people and scripts read. The signature has a scenario of its own.
cat >expected <<END
filename:       /companions/hello.ko
author:         The modutils authors
description:    Says hello and goodbye
license:        GPL
alias:          greeter
alias:          modutils:hello-*
depends:        
name:           hello
vermagic:       $(uname -r) preempt mod_unload modversions 
END
/sbin/modinfo /companions/hello.ko >all
sed '/^sig_id:/,$d' all >found
expect_same found expected
sed -n '/^parm:/,$p' all | sort >found
cat >expected <<'END'
parm:           io:A number from 0 to 5 (ulong)
parm:           msg:What to say hello to (charp)
parm:           ret:What init returns (int)
END
expect_same found expected
