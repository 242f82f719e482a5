# lynis and chkrootkit ask lsmod and modprobe what is loaded, blacklisted and loadable: their reports are the same as
# with kmod. What differs between any two runs (times, processes, the names of files of a run) is not compared.
[ -e "/lib/modules/$(uname -r)" ] || ln -s "$kernel" "/lib/modules/$(uname -r)"
printf 'blacklist usb-storage\ninstall dccp /bin/true\n' >/etc/modprobe.d/audit.conf
mount -t sysfs sys /sys

audit() {
    lynis audit system --no-colors --quiet --tests-from-group kernel,kernel_hardening,storage,usb,firewalls,networking \
        --report-file "/tmp/$1.report" --log-file "/tmp/$1.log" >/dev/null 2>"/tmp/$1.errors" </dev/null ||
        [ -s "/tmp/$1.report" ] || { cat "/tmp/$1.errors"; fail "lynis"; }
    cat "/tmp/$1.errors"
    grep -vE '^(report_datetime|lynis_timer|test_|compressed_uptime|uptime|memory|swap|slow_test|binaries_count|.*process)' "/tmp/$1.report"
    # Each line without its time.
    grep -E 'Result|Test:' "/tmp/$1.log" | cut -d' ' -f3- | grep -iE 'modul|driver|modprobe|lsmod|usb|dccp' || true
    chkrootkit -q 2>&1 | grep -v '^$' || true
}
audit kmod >with-kmod
expect_status 0 dpkg --install "$package"
expect_status 0 depmod "$kernel"
audit ours >with-ours
diff with-kmod with-ours || fail "the reports are not the same"
grep -q '^loaded_kernel_module' with-ours || grep -qi 'module' with-ours || fail "the reports name no module"
echo "= $(wc -l <with-ours) lines of lynis and chkrootkit, the same as with kmod"
