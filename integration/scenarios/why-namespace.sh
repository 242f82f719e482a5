# A symbol of a namespace that the module does not import.
# tools: ours

expect_error "  It uses symbols of the namespace CRYPTO_INTERNAL without importing it:" \
    /sbin/insmod /refused/namespace/pcbc.ko
grep -q "^    Its source needs MODULE_IMPORT_NS" err || fail "the advice is missing"
