# lynis and chkrootkit ask lsmod and modprobe what is loaded, blacklisted and loadable: their reports are the same as
# with kmod. What differs between any two runs (times, processes, the names of files of a run) is not compared.
[ -e "/lib/modules/$(uname -r)" ] || ln -s "$kernel" "/lib/modules/$(uname -r)"
printf 'blacklist usb-storage\ninstall dccp /bin/true\n' >/etc/modprobe.d/audit.conf
mount -t sysfs sys /sys

audit() {
    # One group at a time: later versions take no list.
    for group in kernel storage usb networking; do
        result=/tmp/$1-$group
        lynis audit system --no-colors --quiet --tests-from-group "$group" --report-file "$result.report" \
            --log-file "$result.log" >"$result.output" 2>&1 </dev/null || true
        [ -s "$result.report" ] || { cat "$result.output" >&2; fail "lynis of $group"; }
        grep -vE '^(report_datetime|lynis_timer|test_|compressed_uptime|uptime|memory|swap|slow_test|binaries_count|.*process)' \
            "$result.report"
        # Each line without its time.
        grep -E 'Result|Test:' "$result.log" | cut -d' ' -f3- | grep -iE 'modul|driver|modprobe|lsmod|usb|dccp' || true
    done
    chkrootkit -q 2>&1 | grep -v '^$' || true
}
audit kmod >with-kmod
expect_status 0 dpkg --install "$package"
expect_status 0 depmod "$kernel"
audit ours >with-ours
diff with-kmod with-ours || fail "the reports are not the same"
grep -q '^loaded_kernel_module' with-ours || grep -qi 'module' with-ours || fail "the reports name no module"
echo "= $(wc -l <with-ours) lines of lynis and chkrootkit, the same as with kmod"
