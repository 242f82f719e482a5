# modinfo on the companion modules, by file and by name: every field is what the source says.
# kernels: rust

# fields MODULE FIELD LINE…: these are all its lines, in this order.
fields() {
    module=$1 field=$2
    shift 2
    : >expected
    for line in "$@"; do printf '%s\n' "$line" >>expected; done
    for argument in /companions/$module.ko $module; do
        expect_status 0 /sbin/modinfo -F $field $argument
        expect_same out expected
    done
}

for module in hello square test_square proc verbose test_verbose gadget permanent; do
    fields $module license GPL
    fields $module name $module
    fields $module vermagic "$(uname -r) mod_unload modversions "
    expect_output "/lib/modules/$(uname -r)/extra/$module.ko" /sbin/modinfo -n $module
    expect_output "/companions/$module.ko" /sbin/modinfo -n /companions/$module.ko
done

fields hello author "The modutils authors"
fields hello description "Says hello and goodbye"
fields hello alias greeter "modutils:hello-*"
fields hello depends ""
fields hello parmtype msg:charp io:ulong ret:int
fields hello parm "ret:What init returns (int)" "io:A number from 0 to 5 (ulong)" "msg:What to say hello to (charp)"
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

# Everything at once, with the columns that people and scripts read.
cat >expected <<'END'
filename:       /companions/hello.ko
END
/sbin/modinfo /companions/hello.ko | sed '/^sig_id:/,/^\t/d; /^vermagic/d' >found
head -n 1 found >first
expect_same first expected
expect_output "$(printf 'parm:           ret:What init returns (int)\nparm:           io:A number from 0 to 5 (ulong)')" \
    /sbin/modinfo /companions/hello.ko
